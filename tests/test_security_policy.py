"""SECURITY.md: every check is listed once, and every file that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
POLICY = (ROOT / "SECURITY.md").read_text()
ROWS = re.findall(r"(?m)^\| (S\d+) \| (.+?) \| (.+) \|$", POLICY)


def test_every_check_has_one_row_with_its_tests_or_a_reason():
    assert [number for number, _, _ in ROWS] == [f"S{number}" for number in range(1, 24)]


def test_every_file_that_the_policy_names_exists():
    names = set(re.findall(r"`((?:tests|docs|locks|deploy)/[\w./]+)`", POLICY))
    names |= set(re.findall(r"\]\(([\w./]+)\)", POLICY))
    for _, _, place in ROWS:
        folder = None
        for name in re.findall(r"`([\w./]+\.py)`", place):
            folder = Path(name).parent if "/" in name else folder
            assert (ROOT / folder / Path(name).name).is_file(), name
    assert {name for name in names if not (ROOT / name).exists()} == set()
