"""The published study: its stored tables, and the pages and figures that quote them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from analysis.xnn.cells import COST, GAIN
from analysis.xnn.verdicts import CLAIMS, WITHIN
from benchmarks.study.__main__ import COPIES, PAGES, ROOT
from benchmarks.study.blocks import blocks
from benchmarks.study.figures import SOURCE, drawn
from benchmarks.study.pages import filled, names, without_blocks
from benchmarks.study.sweeps import EXPERIMENTS, Study
from search_spaces import load

MOST_BYTES = 300_000
WORDS = (
    r"CVaR|\bgain|\bR\^?2\b|\bcosts?\b|\bnat\b|kappa|specificity|cross-entropy|accuracy|loss|lose"
)
NUMBER = r"(?<![\w.^])[+-]?\d+\.\d+\b|(?<![\w.])\d+(?:\.\d+)? %"
MARGINS = {
    f"{CLAIMS[COST].margin:g} nat",
    f"{CLAIMS[GAIN].margin:g} of R^2",
    f"{CLAIMS['accuracy_minus_plain'].margin:g} of accuracy",
    f"{CLAIMS['kappa_minus_plain'].margin:g} of kappa",
    "0.05 of a rate",
    f"{WITHIN:g} nat",
}
# Phrases whose numbers are no results: settings and limits of this project, and cited figures.
PHRASES: dict[str, set[str]] = {
    "README.md": {
        "CVaR 5 %** is the mean P&L of the worst 5 % of paths",
        "0.01 nat worse gives the right class about 1 % less probability",
    },
    "docs/results.md": set(),
    "docs/robustness.md": {
        "up to 10 % of kappa, v_bar, xi and rho",
        "a study that trains CVaR 50 % is tested at 0.5",
        "gradient is zero on 95 % of the paths",
        "within 5 % of CVaR",
        "CVaR 5 % on clean paths",
        "risk (CVaR 50 %, no costs)",
    },
    "docs/xnn.md": {
        *MARGINS,
        "kappa 0.597 on held-out rows and 0.647 with offsets (0.650 and 0.704 in sample)",
        "best validation loss 1.496 (sd 0.006), first epochs 1.570 / 1.542 for and 1.554 / 1.532",
    },
}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def sentences(text: str) -> Iterator[str]:
    """Sentences and table rows of a page, without code."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=[|#-])", text):
        yield from re.split(r"(?<=[.:;])\s+(?=[A-Z*])", " ".join(paragraph.split()))


@pytest.fixture(scope="module")
def study() -> Study:
    return Study.read(COPIES)


@pytest.fixture(scope="module")
def texts(study):
    return blocks(study)


@pytest.mark.parametrize("name", PAGES)
def test_the_generated_blocks_of_a_page_are_those_of_the_stored_study(name, texts):
    assert filled(page(name), texts) == page(name)


def test_every_block_is_on_a_page(texts):
    assert sorted(name for one in PAGES for name in names(page(one))) == sorted(texts)


def test_figures_name_the_table_that_they_are_drawn_from(study):
    for name, digest, _figure in drawn(study):
        with Image.open(ROOT / "docs" / "figures" / f"{name}.png") as picture:
            assert picture.text[SOURCE] == digest


@pytest.mark.parametrize("name", PAGES)
def test_a_number_about_results_outside_the_blocks_is_a_setting_or_a_citation(name):
    told = [s for s in sentences(without_blocks(page(name))) if re.search(WORDS, s)]
    assert [phrase for phrase in PHRASES[name] if not any(phrase in s for s in told)] == []
    for phrase in PHRASES[name]:
        told = [sentence.replace(phrase, "") for sentence in told]
    assert [sentence for sentence in told if re.search(NUMBER, sentence)] == []


@pytest.mark.parametrize(
    "planted",
    [
        "With 5 % of its weights the network loses 4.9.",
        "| 0.1 | a gain of +0.49 | at 0.012 |",
        "It costs about 0.01 nat.",
        "The ticket falls behind\nby 0.14 of CVaR.",
    ],
)
def test_control_a_planted_result_is_found(planted):
    (sentence,) = sentences(planted)
    assert re.search(WORDS, sentence)
    assert re.search(NUMBER, sentence)


def within(settings: Any, stored: Any) -> bool:
    """True if every one of the nested ``settings`` has its value in ``stored``."""
    if isinstance(settings, Mapping):
        return all(name in stored and within(one, stored[name]) for name, one in settings.items())
    return (list(settings) if isinstance(settings, tuple) else settings) == stored


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_stored_study_is_that_of_the_shipped_space_and_complete(experiment, study):
    published = getattr(study, experiment)
    space, stored = load(ROOT / published.space), published.sweep.manifest
    axes = {name: {"grid": domain.values} for name, domain in space.space.items()}
    assert within(axes, stored["space"])
    assert stored["space"].keys() == axes.keys()
    assert within(space.when, stored["when"])
    assert within(space.study, stored["study"])
    assert published.sweep.trials["status"].eq("completed").all()
    assert len(published.sweep.trials) == stored["trials"]


def test_the_stored_study_is_small_and_names_no_machine():
    files = [path for path in sorted(COPIES.rglob("*")) if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        if path.suffix == ".parquet":
            schema = pq.read_schema(path)
            assert "seconds" not in schema.names
            text = repr(schema.metadata) + repr(pq.read_table(path).to_pylist()[0])
        else:
            text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w<>.])/[a-z]+/|\d\d:\d\d:\d\d|platform|hostname", text), path


def test_the_manifest_of_the_stored_study_has_no_durations():
    for experiment in EXPERIMENTS:
        manifest = json.loads((COPIES / experiment / "manifest.json").read_text())
        assert not {"started", "git", "platform", "arithmetic", "core_sha256"} & manifest.keys()
