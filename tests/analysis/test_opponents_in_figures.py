import pytest

from analysis.figures import controls_beside_ticket, convergence_speed, panels, render
from analysis.figures import cvar_against_remaining as draw
from analysis.figures.tickets.controls import size_of_controls
from analysis.sweep import Sweep
from analysis.tickets.controls import controls


def manifest(**cvars):
    baselines = {name: {"cvar_05": cvar, "cvar_05_se": 0.01} for name, cvar in cvars.items()}
    return {"preparations": {"seed-0-ab": {"seed": 0, "baselines": baselines}}}


def dotted(trials, **cvars):
    (problem,) = Sweep.of(trials, manifest(**cvars)).problems
    ax = render(lambda ax: draw(problem, ax)).axes[0]
    return [float(line.get_ydata()[0]) for line in ax.lines if line.get_linestyle() == ":"]


def test_the_best_hedge_without_training_is_dotted(table):
    trials = table({"sparsity": 0.5}, {"sparsity": 0.8})
    assert dotted(trials, minimum_variance=-3.04, no_trade_band=-2.98) == [-2.98]


def test_without_baselines_nothing_is_dotted(table):
    assert dotted(table({"sparsity": 0.5})) == []


def test_a_learning_rate_that_is_not_swept_is_that_of_the_study(table):
    trials = table({"sparsity": 0.5}, {"sparsity": 0.5, "seed": 1}).drop(columns=["config/lr"])
    ax = render(lambda ax: convergence_speed(trials, ax, sparsity=0.5, epsilon=0.0)).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["the study's own"]


def test_intervals_within_the_tolerance_of_the_best_mean_are_inside_the_axis(table):
    kinds = {"lottery": -2.96, "random_mask": -3.0}
    rows = [
        {"sparsity": 0.9, "seed": seed, "cvar_05": cvar + 0.08 * (seed - 1)}
        for cvar in kinds.values()
        for seed in range(3)
    ]
    trials = table(*rows).assign(**{"config/ticket": [k for k in kinds for _ in range(3)]})
    rows = controls(trials)
    clean = rows[rows["metric"].eq("cvar_05")]
    assert clean["low"].min() > -3.0 * 1.1
    figure = panels(lambda f: controls_beside_ticket(rows, f), size=size_of_controls(rows))
    low, high = figure.axes[0].get_ylim()
    least = max(float(clean["low"].min()), -3.0 - 0.05 * 2.96)
    assert low <= least
    assert high >= float(clean["mean"].max()) == pytest.approx(-2.96)
