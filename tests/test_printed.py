"""The reading of numbers, files and sections in a printed text."""

import pytest
from printed import files, lines_with, numbers, section

REPORT = "n: 2 trials\n\nSeeds (3)\n  a 1\n  b 2\nTable\n  c\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+0.200 [+0.180, -0.220]; 95 %, K = 2.", [0.2, 0.18, -0.22, 95, 2]),
        ("R2 of x0001 under path_pgd:0.1 is 1e-3", [0.1, 0.001]),
        ("no number at 3am", []),
    ],
)
def test_numbers_are_those_of_the_text_and_not_those_of_names(text, found):
    assert numbers(text) == found


def test_a_section_ends_where_its_indent_ends():
    assert section(REPORT, "Seeds") == ["a 1", "b 2"]


def test_a_section_that_is_not_printed_once_is_an_error():
    with pytest.raises(ValueError, match="unpack"):
        section(REPORT, "Absent")


def test_lines_have_every_name():
    assert lines_with(REPORT, "a", "1") == ["  a 1"]


def test_files_have_their_folder_and_line():
    text = "0001.jsonl:3: damaged; models/a/b.safetensors, trials.parquet is missing"
    assert files(text) == ["0001.jsonl:3", "models/a/b.safetensors", "trials.parquet"]
