"""Model-risk record of a sweep: sections for validators, and what a human must still write."""

from analysis.record.answers import FILE, Answers, read_answers
from analysis.record.document import Record
from analysis.record.material import Material
from analysis.record.sections import record

__all__ = ["FILE", "Answers", "Material", "Record", "read_answers", "record"]
