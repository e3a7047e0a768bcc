"""Files of the project, and earlier ones, hold no secret, package index or path of one machine."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# /home/desk is an example's. Brackets keep a pattern from finding itself.
FORBIDDEN = {
    "a private key": r"[-]----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}",
    "a key of a cloud": r"\bAKI[A][0-9A-Z]{16}\b",
    "a token": r"\b(gh[pousr]_|github_pat_|glpat-|xox[abp]-|hf_|pypi-)[A-Za-z0-9_]{20,}",
    "a package index": r"--(extra[-]index|index[-]url|trusted[-]host|find[-]links)|python[h]osted"
    r"|(?i:extra[_-]index)|(PIP|UV)_(DEFAULT_)?INDE[X]|\[\[tool\.uv\.inde[x]",
    "a path of one machine": r"(?<![\w.~}])/(wor[k]|roo[t]|home/(?!desk)[a-z]|User[s]/[a-z])\w*/",
}


SECRETS = ("a private key", "a key of a cloud", "a token")


def git(*arguments: str, given: bytes = b"") -> bytes:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def files() -> list[Path]:
    return [ROOT / name for name in git("ls-files", "-z").decode().split("\0") if name]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_of_the_project_holds(what: str) -> None:
    hits = []
    for path in files():
        text = path.read_bytes().decode(errors="replace")
        for match in re.finditer(FORBIDDEN[what], text):
            hits.append(f"{path.relative_to(ROOT)}: {match.group()}")
    assert hits == []


@pytest.mark.parametrize("what", SECRETS)
def test_no_file_or_message_of_the_history_holds(what: str) -> None:
    """A secret that was committed once has to be revoked, whatever was committed since."""
    objects = git("rev-list", "--objects", "HEAD")
    names = b"\n".join(line.split()[0] for line in objects.splitlines())
    content = git("cat-file", "--batch", given=names)
    assert len(content) > len(names)
    assert [m.group() for m in re.finditer(FORBIDDEN[what].encode(), content)] == []


PLANTED = {
    "a private key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
    "a key of a cloud": "AKI" + "A0123456789ABCDEF",
    "a token": "gh" + "p_0123456789abcdefghijklmnop",
    "a package index": "pip install -" + "-extra-" + "index-url x",
    "a path of one machine": "open('/ho" + "me/somebody/x')",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_planted_line_is_found(what: str) -> None:
    assert re.search(FORBIDDEN[what], PLANTED[what])
