"""Record of a sweep: all sections in their order."""

from collections.abc import Callable

from analysis.record import changes, identity, limits, outcomes, results, search_log
from analysis.record.document import Question, Record, Section
from analysis.record.material import Material
from analysis.record.questions import questions
from analysis.record.sensitivity import sensitivity

_SECTIONS: dict[str, Callable[[Material, list[Question]], Section]] = {
    "1": identity.identity,
    "2": identity.use,
    "3": identity.choices,
    "4": identity.objective,
    "5": search_log.data,
    "6": search_log.search,
    "7": sensitivity,
    "8": results.challengers,
    "9": results.robustness,
    "10": outcomes.explanation,
    "11": outcomes.outcomes,
    "12": limits.limitations,
    "13": limits.verification,
    "14": limits.monitoring,
    "15": changes.changes,
    "16": changes.artefact,
}


def record(material: Material) -> Record:
    """Record of a sweep. Equal material gives an equal record.

    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    asked = questions(material.experiment, material.axes)
    sections = [
        build(material, material.answers.answered(asked.get(number, [])))
        for number, build in _SECTIONS.items()
    ]
    name = str(material.manifest.get("name") or "sweep")
    return Record(name=name, sections=[*sections, changes.glossary(material)])
