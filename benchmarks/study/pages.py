"""Generated blocks of a Markdown page, between comments that name them.

<!-- study: tickets -->
generated
<!-- end of study -->
"""

import re
from collections.abc import Mapping, Sequence

_BLOCK = re.compile(
    r"(?P<opening><!-- study: (?P<name>[a-z]+) -->\n)(?P<text>.*?)"
    r"(?P<closing><!-- end of study -->)",
    re.DOTALL,
)


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """``page`` with the text of every block that it names.

    Raises:
        ValueError: the page names a block that does not exist.
    """

    def fill(match: re.Match[str]) -> str:
        if match["name"] not in blocks:
            raise ValueError(
                f"unknown block {match['name']!r}; known: {', '.join(sorted(blocks))}"
            )
        return f"{match['opening']}{blocks[match['name']].rstrip()}\n{match['closing']}"

    return _BLOCK.sub(fill, page)


def names(page: str) -> list[str]:
    """Names of the blocks of a ``page``, in its order."""
    return [match["name"] for match in _BLOCK.finditer(page)]


def without_blocks(page: str) -> str:
    """The text that people wrote: ``page`` without its generated blocks."""
    return _BLOCK.sub("", page)


def bullets(lines: Sequence[str]) -> str:
    """A Markdown list of ``lines``."""
    return "\n".join(f"- {line}" for line in lines)


def table(rows: Sequence[Mapping[str, str]], *, numbers: tuple[str, ...] = ()) -> str:
    """A Markdown table of ``rows`` by heading; columns in ``numbers`` align to the right."""
    headings = list(rows[0])
    rules = ["--:" if name in numbers else "---" for name in headings]
    body = [[row[name] for name in headings] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rules, *body))
