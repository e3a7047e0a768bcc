"""Speed: every benchmark runs, and every published figure is that of the stored run."""

import json
from importlib import import_module

import pytest

from benchmarks import __main__ as bench
from benchmarks import inference, kernel
from benchmarks.figure import alternated, figure
from hedgecore.kernel.shared_library import library

RESULTS = json.loads(bench.RESULTS.read_text())


def test_the_page_is_that_of_the_results():
    assert bench.PAGE.read_text() == bench.page(RESULTS)


@pytest.mark.parametrize("path", bench.DOCS, ids=lambda path: path.name)
def test_the_figures_of_a_document_are_those_of_the_results(path):
    text = path.read_text()
    assert bench.with_figures(text, RESULTS) == text


def test_a_figure_within_a_line_is_a_number_of_the_results():
    figures = {"load": figure([0.25], [0.5], unit="s", target=2)}
    results = {"loading": {"machine": {"cores": "2"}, "figures": figures}, "growth": {}}
    line = "Took <!-- bench loading: load, ours -->?<!-- /bench -->."
    assert bench.with_figures(line, results) == line.replace("?", "0.25 s")
    ratio = line.replace("ours", "ratio")
    assert bench.with_figures(ratio, results) == ratio.replace("?", "2")
    later = line.replace("loading", "growth")
    assert bench.with_figures(later, results) == later.replace("?", bench.LATER)
    empty = "<!-- bench growth -->\n<!-- /bench -->"
    assert bench.LATER in bench.with_figures(empty, results)
    with pytest.raises(KeyError):
        bench.with_figures(line.replace(": load", ": store"), results)


@pytest.mark.parametrize(("name", "function"), bench.MODULES.items())
def test_every_module_returns_figures_by_name(name, function):
    assert callable(getattr(import_module(f"benchmarks.{name}"), function))


def test_every_file_is_a_benchmark_a_script_of_faults_or_serves_one():
    serving = {"__main__", "figure", "noop_trials", "plain_hedge", "plain_sweep", "processes"}
    names = {path.stem for path in bench.HERE.glob("*.py")}
    assert names == {*bench.MODULES, *serving, "bit_flips", "kills"}


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
