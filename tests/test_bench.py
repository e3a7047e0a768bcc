"""Speed: every benchmark runs, and every published figure is that of the stored run."""

import json

import pytest

from benchmarks import __main__ as bench
from benchmarks import kernel
from benchmarks.results import Comparison, faster, medians
from hedgecore.kernel.library import library

RESULTS = json.loads(bench.RESULTS.read_text())


def test_the_page_is_that_of_the_results():
    assert bench.PAGE.read_text() == bench.page(RESULTS)


@pytest.mark.parametrize("path", bench.DOCS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_those_of_the_results(path):
    text = path.read_text()
    assert bench.with_tables(text, RESULTS) == text


def test_every_result_has_its_fields_and_the_ratio_of_its_sides():
    for result in RESULTS.values():
        for name, plain in result["comparisons"].items():
            one = Comparison(**plain)
            assert one.better in ("more", "less"), name
            assert one.runs > 0
            if one.other is not None and one.better == "more":
                assert one.ratio == pytest.approx(one.other / one.ours)


def test_a_speed_up_is_the_ratio_of_medians():
    seconds = medians(
        {"ours": lambda: sum(range(1000)), "other": lambda: None}, repeats=3, least=0
    )
    assert set(seconds) == {"ours", "other"}
    one = faster({"a": 0.5, "b": 2.0}, "a", "b", target=5, runs=3)
    assert (one.ratio, one.reached) == (4, False)


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_the_steps_are_compared():
    pytest.importorskip("pfhedge")
    measured = kernel.measure(repeats=1, small=True)
    assert all(one.ours > 0 for one in measured.values())


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_the_steps_of_our_own_run_at_any_size():
    for kind in (kernel.CompiledDescent, kernel.AutogradDescent):
        losses, _ = kernel.steps(kind, (8, 8), 64, sparsity=0.9, attack=kernel.PGD)()
        assert losses.isfinite().all()
    kernel.module_step((8, 8), 64)()
    kernel.products((8, 8), 64)()
