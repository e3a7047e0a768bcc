"""Command lines and Python blocks of README.md and docs/, as a reader would copy them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not path.is_relative_to(ROOT / "docs" / "generated")
    ),
]
_FENCE = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^\1```$")
_SHELL = ("", "sh", "console")


@dataclass(frozen=True, slots=True)
class Line:
    """Words of a command, and the page that has it."""

    page: Path
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        """Words as a shell splits them, without comment and redirection."""
        words = shlex.split(re.split(r"\s[>|]\s?", self.text)[0], comments=True)
        return tuple(word for word in words if word != "$")

    def __str__(self) -> str:
        return f"{self.page.stem}: {self.text.partition('#')[0].strip()}"


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Fenced blocks of a ``page`` in ``languages``, and indented ones as those of a shell."""
    text = page.read_text(encoding="utf-8")
    for _, language, block in _FENCE.findall(text):
        if language in languages:
            yield block
    if "" in languages:
        for block in re.findall(r"(?m)(?:^    \S.*\n)+", _FENCE.sub("", text)):
            yield re.sub(r"(?m)^    ", "", block)


def lines(program: str = "hedgesweep") -> list[Line]:
    """Every command line of ``program``, in the order of the pages; repeated ones count once."""
    found: dict[tuple[str, ...], Line] = {}
    for page in PAGES:
        for block in blocks(page, *_SHELL):
            for text in block.replace("\\\n", " ").splitlines():
                line = Line(page, text)
                if text.removeprefix("$ ").startswith(f"{program} "):
                    found.setdefault(line.words, line)
    return list(found.values())
