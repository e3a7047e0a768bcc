"""Speed: every benchmark runs, and every published figure is that of the stored run."""

import json

import pytest

from benchmarks import __main__ as bench
from benchmarks import inference, kernel
from benchmarks.figure import alternated, figure
from hedgecore.kernel.shared_library import library

RESULTS = json.loads(bench.RESULTS.read_text())


def test_the_page_is_that_of_the_results():
    assert bench.PAGE.read_text() == bench.page(RESULTS)


@pytest.mark.parametrize("path", bench.DOCS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_those_of_the_results(path):
    text = path.read_text()
    assert bench.with_tables(text, RESULTS) == text


def test_every_figure_is_the_ratio_of_its_sides():
    for result in RESULTS.values():
        for one in result.get("figures", {}).values():
            assert one.keys() == {"ratio", "target", "ours", "other", "unit", "runs"}
            assert one["runs"] > 0


def test_contestants_alternate_and_a_figure_is_the_ratio_of_medians():
    order = []
    runs = {name: lambda name=name: order.append(name) for name in ("ours", "other")}
    times = alternated(runs, rounds=2, least=0)
    assert [len(values) for values in times.values()] == [2, 2]
    assert order[-4:] == ["ours", "other"] * 2
    one = figure([1.0, 2.0, 9.0], [8.0, 8.0], unit="ms", target=5)
    assert (one["ratio"], one["runs"]) == (4.0, 3)


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_the_steps_are_compared():
    pytest.importorskip("pfhedge")
    measured = kernel.measure(rounds=1, small=True)
    assert all(one["ours"] > 0 for one in measured.values())


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_the_steps_of_our_own_run_at_any_size():
    for kind in (kernel.CompiledDescent, kernel.AutogradDescent):
        losses, _ = kernel.steps(kind, (8, 8), 64, sparsity=0.9, attack=kernel.PGD)()
        assert losses.isfinite().all()
    kernel.module_step((8, 8), 64)()
    kernel.products((8, 8), 64)()


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_hedges_are_compared_by_sparsity():
    measured = inference.measure(rounds=1, small=True)
    assert len(measured) == 4
    assert all(one["ours"] > 0 for one in measured.values())
