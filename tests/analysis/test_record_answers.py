"""Texts of humans in a record: asked for, read from a file, and never invented."""

import json
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from analysis.__main__ import main

MANIFEST = {"name": "t", "experiment": "tickets", "space": {"sparsity": {"grid": [0.5]}}}
MISSING = 3


@pytest.fixture(name="storage")
def _storage(table, write, tmp_path):
    trials = table(*({"sparsity": 0.5, "seed": seed} for seed in (0, 1, 2)))
    storage = write(tmp_path / "a sweep", trials)
    (storage / "manifest.json").write_text(json.dumps(MANIFEST))
    return storage


def run(*arguments):
    return CliRunner().invoke(main, ["record", *map(str, arguments)], catch_exceptions=False)


def keys(output):
    return [line.strip().partition(":")[0] for line in output.splitlines() if line[:2] == "  "]


def test_the_list_of_missing_texts_is_cured_as_it_says(storage):
    first = run(storage, "--check")
    assert first.exit_code == MISSING
    asked = keys(first.output)
    assert {"owner", "intended_use", "why_sparsity", "market_calibration"} <= set(asked)
    cure = first.output.partition("completes: ")[2].splitlines()[0]
    program, command, *arguments = shlex.split(cure)
    assert (program, command) == ("hedgesweep", "record")
    assert run(*arguments).exit_code == 0
    path = storage / "record.yaml"
    assert list(yaml.safe_load(path.read_text())) == asked
    assert run(storage, "--check").exit_code == MISSING, "an empty text is no text"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(f"{line} A text." if line.endswith('":') else line for line in lines)
    )
    done = run(storage, "--check")
    assert (done.exit_code, keys(done.output)) == (0, [])
    assert "no statement of compliance" in done.output


def test_texts_are_in_the_record_and_gaps_are_null(storage):
    (storage / "record.yaml").write_text("owner: A. Author\nintended_use: |\n  One.\n  Two.\n")
    content = json.loads(run(storage, "--json").output)
    human = {one["key"]: one["text"] for s in content["sections"] for one in s["human"]}
    assert human["owner"] == "A. Author"
    assert human["intended_use"] == "One.\nTwo."
    assert human["approval"] is None
    assert set(content["missing"]) == {key for key, text in human.items() if text is None}
    assert "compliance" in content["notice"]


def test_the_template_keeps_what_is_written_and_adds_the_rest(storage):
    path = storage / "record.yaml"
    path.write_text("# my notes\nowner: A. Author # of desk 1")
    assert run(storage, "--template").exit_code == 0
    text = path.read_text()
    assert text.startswith("# my notes\nowner: A. Author # of desk 1\n")
    assert "developer" in yaml.safe_load(text)
    assert run(storage, "--template").exit_code == 0
    assert path.read_text() == text, "nothing is left to add"


def test_another_file_may_have_the_texts(storage, tmp_path):
    path = tmp_path / "texts.yaml"
    assert run(storage, "--template", "--text", path).exit_code == 0
    assert not (storage / "record.yaml").exists()
    path.write_text(path.read_text().replace('"owner":', '"owner": B. Author'))
    content = json.loads(run(storage, "--json", "--text", path).output)
    assert "owner" not in content["missing"]


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("ownr: A", "did you mean 'owner'"),
        ("owner: [A, B]", "line 1: write one text"),
        ("owner: {a: b}", "line 1: write one text"),
        ("owner: A\nowner: B", "line 2: 'owner' is there twice"),
        ("owner: a: b", "put texts with ': '"),
        ("- owner", "write lines such as"),
        ("[" * 200_000, "not valid YAML"),
        ('owner: "\\UFFFFFFFF"', "not valid YAML"),
        ("owner: \x01", "not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_with_the_cure(text, cure, storage):
    (storage / "record.yaml").write_text(text)
    for options in (("--check",), ("--json",), ("--template",)):
        done = run(storage, *options)
        assert done.exit_code in (2, MISSING)
        (line,) = [line for line in done.stderr.splitlines() if line]
        assert line.startswith("error: ")
        assert cure in line


def test_nothing_is_appended_to_a_file_in_braces(storage):
    (storage / "record.yaml").write_text("{owner: A}")
    done = run(storage, "--template")
    assert done.exit_code == 2
    assert "braces" in done.stderr
    assert (storage / "record.yaml").read_text() == "{owner: A}"


@pytest.mark.parametrize("kind", ["link", "folder", "long"])
def test_what_is_no_short_file_is_refused(kind, storage, tmp_path):
    path = storage / "record.yaml"
    if kind == "link":
        (tmp_path / "other").write_text("owner: A")
        path.symlink_to(tmp_path / "other")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("owner: " + "a" * 2**19)
    done = run(storage, "--json")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")


def test_escapes_in_texts_are_printed_as_such(storage):
    (storage / "record.yaml").write_text('owner: "a\\e[31m\\u202e"\n')
    assert run(storage).output.count("\\x1b[31m\\u202e") == 1


def test_previous_without_a_manifest_is_refused(storage, tmp_path):
    done = run(storage, "--json", "--previous", tmp_path)
    assert done.exit_code == 2
    assert "--previous" in done.stderr


def test_the_example_of_the_documentation_is_read(storage):
    text = (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")
    (storage / "record.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    content = json.loads(run(storage, "--json").output)
    human = {one["key"]: one["text"] for s in content["sections"] for one in s["human"]}
    assert {key for key, text in human.items() if text} == {
        "owner",
        "intended_use",
        "why_sparsity",
    }
