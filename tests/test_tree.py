"""The files of the project hold no secret, no other package index, and no path of one machine."""

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
    "a package index": r"--(extra[-]index|index[-]url|trusted[-]host|find[-]links)|python[h]osted",
    "a path of one machine": r"(?<![\w.~}])/(wor[k]|roo[t]|home/(?!desk)[a-z]|User[s]/[a-z])\w*/",
}


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_of_the_project_holds(what: str) -> None:
    hits = []
    for path in files():
        text = path.read_bytes().decode(errors="replace")
        for match in re.finditer(FORBIDDEN[what], text):
            hits.append(f"{path.relative_to(ROOT)}: {match.group()}")
    assert hits == []


PLANTED = {
    "a private key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
    "a key of a cloud": "AKI" + "A0123456789ABCDEF",
    "a token": "gh" + "p_0123456789abcdefghijklmnop",
    "a package index": "pip install -" + "-extra-index-url x",
    "a path of one machine": "open('/ho" + "me/somebody/x')",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_planted_line_is_found(what: str) -> None:
    assert re.search(FORBIDDEN[what], PLANTED[what])
