"""README.md and docs/: complete, linked, and as the code is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from documented_commands import PAGES, ROOT, blocks

from analysis import schema
from analysis.columns import FAMILIES
from docs import reference_pages
from sweeps.__main__ import cli

DOCS = ROOT / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")
NOTEBOOK = json.loads((DOCS / "tour.ipynb").read_text(encoding="utf-8"))
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A number with its sign, as a whole word.
NUMBER = r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?!\w)"


def test_every_page_is_in_one_toctree_and_every_entry_is_a_page():
    trees = re.findall(r"(?s)```\{toctree\}\n(.*?)```", INDEX)
    entries = [line for tree in trees for line in tree.split("\n\n", 1)[1].split()]
    pages = [p.relative_to(DOCS).with_suffix("") for p in PAGES if p.is_relative_to(DOCS)]
    generated = (*reference_pages.PAGES, "tour", *map(str.lower, reference_pages.ROOT_PAGES))
    expected = [*map(str, pages), *(f"generated/{name}" for name in generated)]
    assert sorted([*entries, "index"]) == sorted(expected)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as MyST and code hosts derive them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("[CS]*.md")], ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page if not name else (page.parent / name).resolve()
        if path.parent == DOCS / "generated":
            assert path.stem in {*reference_pages.PAGES, "tour"}, target
            continue
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target}"


def test_the_readme_is_short_and_starts_a_sweep_and_the_tests():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    first = "\n".join(blocks(ROOT / "README.md", "sh"))
    assert re.search(r"(?m)^make sweep\b", first)
    assert re.search(r"(?m)^make test\b", first)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_targets_of_make_and_modules_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    shell = "\n".join(blocks(page, "", "sh"))
    for target in re.findall(r"(?m)^(?:BASE=\S+ )?make ([a-z-]+)", shell):
        assert re.search(rf"(?m)^(?:[\w-]+ )*{target}(?: [\w-]+)*:", makefile), target
    for lock in re.findall(r"locks/\S+\.lock", shell):
        assert (ROOT / lock).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_within_sentences_exist(page):
    names = set(cli.list_commands(click.Context(cli)))
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text(encoding="utf-8"))
    assert {*re.findall(r"`hedgesweep ([a-z][\w-]+)", text)} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks_are_python(page):
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


def test_the_reference_has_every_command_with_every_option():
    text = reference_pages.commands()
    for path, command in reference_pages.each_command(cli, "hedgesweep"):
        section = text.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        assert section, path
        options = [option for p in command.params for option in (*p.opts, *p.secondary_opts)]
        for option in options:
            assert option in section or not option.startswith("-"), f"{path} {option}"


def test_the_reference_has_every_column():
    text = reference_pages.columns()
    for experiment, tables in schema.EXPERIMENTS.items():
        for table, columns in tables.items():
            heading = f"\n## {experiment}: {table}.parquet\n"
            section = text.partition(heading)[2].partition("\n## ")[0]
            named = re.findall(r"(?m)^\| `([^`]+)` \|", section)
            assert named == list(columns)
        for family in FAMILIES[experiment]:
            assert all(f"`{base}`" in text for base in family.bases)


def test_help_texts_are_shown_as_they_are():
    command = click.Command("a", help="Where *a* <b> | c.\n\n\b\nExample:\n  hedgesweep a")
    text = "\n".join(reference_pages._paragraphs(command))
    assert r"Where \*a\* \<b\> | c." in text
    assert "```sh\nExample:\n  hedgesweep a\n```" in text


def test_the_outputs_of_the_notebook_are_small_and_name_no_machine():
    assert (DOCS / "tour.ipynb").stat().st_size < 200_000
    outputs = [o for c in NOTEBOOK["cells"] for o in c.get("outputs", ())]
    texts = ["".join(o.get("text", o.get("data", {}).get("text/plain", ()))) for o in outputs]
    assert any(texts)
    assert not re.search(r"(?<![\w<])/[a-z]+/|\d\d:\d\d|seconds|elapsed", "\n".join(texts))


def text_of(output: dict) -> str:
    return "".join(output.get("text", output.get("data", {}).get("text/plain", ())))


@pytest.mark.ray
@pytest.mark.slow
def test_the_notebook_runs_and_gives_its_outputs(tmp_path):
    """Training amplifies what processors round differently, hence a tolerance."""
    copy = tmp_path / "tour.ipynb"
    copy.write_text(json.dumps(NOTEBOOK), encoding="utf-8")
    command = [sys.executable, "-m", "tests.notebook", copy]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for stored, run in zip(NOTEBOOK["cells"], json.loads(copy.read_text())["cells"], strict=True):
        for before, now in zip(stored.get("outputs", ()), run.get("outputs", ()), strict=True):
            assert before.get("data", {}).keys() == now.get("data", {}).keys()
            old, new = text_of(before), text_of(now)
            assert re.sub(rf"\s*{NUMBER}", " #", old) == re.sub(rf"\s*{NUMBER}", " #", new)
            values = [list(map(float, re.findall(NUMBER, text))) for text in (old, new)]
            assert values[1] == pytest.approx(values[0], rel=0.05, abs=0.05), stored["id"]
