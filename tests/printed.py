"""Numbers of a printed text: a test holds what is true of them, not the sentence around them."""

import re

# Digits of a name, as in R2 or x0001, are no number.
_NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")


def numbers(text: str) -> list[float]:
    """Every number of ``text`` in the order of the text, a percentage as it is printed."""
    return [float(match) for match in _NUMBER.findall(text)]


def lines_with(text: str, *names: str) -> list[str]:
    """Lines of ``text`` that hold every one of ``names``."""
    return [line for line in text.splitlines() if all(name in line for name in names)]


def section(text: str, heading: str) -> list[str]:
    """Lines below the one line of ``text`` that begins with ``heading``, up to an empty one."""
    lines = text.splitlines()
    (start,) = (i for i, line in enumerate(lines) if line.startswith(heading))
    end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
    return [line.strip() for line in lines[start + 1 : end]]
