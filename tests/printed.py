"""Numbers of a printed text: a test holds what is true of them, not the sentence around them."""

import re
from itertools import takewhile

_FILE = re.compile(r"[\w./-]*\w\.(?:jsonl?|yaml|parquet|safetensors)(?::\d+)?")
# Digits of a name, as in R2 or x0001, are no number.
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")


def numbers(text: str) -> list[float]:
    """Every number of ``text`` in the order of the text, a percentage as it is printed."""
    return [float(match) for match in _NUMBER.findall(text)]


def lines_with(text: str, *names: str) -> list[str]:
    """Lines of ``text`` that hold every one of ``names``."""
    return [line for line in text.splitlines() if all(name in line for name in names)]


def section(text: str, heading: str) -> list[str]:
    """Indented lines below the one line of ``text`` that begins with ``heading``."""
    lines = text.splitlines()
    (start,) = (i for i, line in enumerate(lines) if line.startswith(heading))
    below = takewhile(lambda line: line.startswith("  "), lines[start + 1 :])
    return [line.strip() for line in below]


def files(text: str) -> list[str]:
    """Every file of a storage that ``text`` names, with the line where it names one."""
    return _FILE.findall(text)
