"""Escaping of untrusted texts for Markdown, in which they would be markup or HTML."""

import re

from analysis.escapes import printable

_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|~&$^]")
_BEGINNING = re.compile(r"^([-+](?=\s|$)|--|=|\d+(?=[.)](?:\s|$)))")
_LINK = re.compile(r"(?i)\b(www)\.|(:)//")


def escaped(text: str) -> str:
    """``text`` on one line, with a backslash before what Markdown would interpret.

    A heading, list, table, link, image, formula or element of HTML in it stays text.
    """
    line = _MARKUP.sub(r"\\\g<0>", printable(" ".join(text.split())))
    line = _LINK.sub(lambda match: f"{match[1]}\\." if match[1] else ":\\//", line)
    match = _BEGINNING.match(line)
    if match is None:
        return line
    # A number is escaped behind its digits: "1\. text".
    place = match.end() if match[1].isdigit() else 0
    return f"{line[:place]}\\{line[place:]}"


def paragraphs(text: str) -> str:
    """``text`` of several lines, escaped, as paragraphs."""
    return "\n\n".join(escaped(line) for line in text.splitlines() if line.strip())
