"""A script as users write it; test_typing.py has mypy check it strictly, and nothing runs it."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, assert_type

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import analysis
import search_spaces
import sweeps
from analysis import figures
from analysis.tickets.attack_checks import Check
from analysis.xnn import Front
from sweeps.monitoring.exporters import ExportPosition
from sweeps.monitoring.mlflow import MLflow
from sweeps.monitoring.progress import State
from sweeps.monitoring.tensorboard import TensorBoard
from sweeps.simulation.curves import source
from sweeps.simulation.simulate import Simulation, simulate

Row = Mapping[str, Any]


class Counting:
    """An exporter."""

    def __init__(self) -> None:
        self.epochs = 0

    def begin(self, trial_id: str, config: Row) -> ExportPosition:
        return ExportPosition(epoch=len(config), over=False)

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        self.epochs += len(rows)

    def end(self, trial_id: str, row: Row) -> None: ...

    def close(self) -> None: ...


class Dots:
    """A progress."""

    def message(self, text: str) -> None:
        sys.stderr.write(text)

    def update(self, state: State) -> None:
        assert_type(state.trials, Mapping[str, sweeps.TrialState])
        assert_type(state.running, int)

    def close(self) -> None: ...


def launch(storage: Path) -> sweeps.Sweep:
    space = search_spaces.load("tickets", overrides=["space.lr.grid=[1e-3]"])
    assert_type(space, search_spaces.SearchSpace)
    plan = sweeps.plan(space, overrides={"study.training.epochs": 5, "space.seed.grid": [0, 1]})
    assert_type(plan, sweeps.Plan)
    assert_type(plan.trials, tuple[sweeps.TrialPlan, ...])
    assert_type(plan.trials[0].seed, int)
    assert_type(plan.rungs, tuple[int, ...])
    budget = sweeps.Budget(cpus=8, hours=1.0, cost=3.0, rate=0.5)
    assert_type(budget.seconds, float)
    assert_type(sweeps.Budget(hours=1), sweeps.Budget)
    assert_type(budget.deadline(0.0), float | None)
    exporters: list[sweeps.Exporter] = [
        Counting(),
        TensorBoard(storage),
        MLflow("sqlite:///m.db", "a"),
    ]
    progress: sweeps.Progress = Dots()
    try:
        sweep = sweeps.run(
            plan, storage=storage, budget=budget, exporters=exporters, progress=progress
        )
    except sweeps.SpaceError as error:
        assert_type(error.key, str)
        raise
    except (sweeps.UsageError, sweeps.PreparationError, sweeps.SweepError, sweeps.WriteError):
        raise
    except sweeps.HedgesweepError as error:
        raise SystemExit(str(error)) from error
    sweeps.run("tickets", storage="results/tickets", progress=sweeps.SilentProgress())
    return sweep


def deploy(storage: Path, bundle: Path, spot: npt.NDArray[np.float64]) -> pd.DataFrame:
    hedge: sweeps.Hedge = sweeps.load_model(storage, "51f7")
    assert_type(hedge.positions(spot, 0.04 * np.ones_like(spot)), Tensor)
    assert_type(hedge.steps, int)
    assert_type(sweeps.evaluate(storage, {"study.evaluation.path_pgd": [0.1]}).path, Path)
    assert_type(sweeps.export_model(storage, "51f7", out="hedge.c"), Path)
    classifier: sweeps.Classifier = sweeps.load_bundle(bundle, key="public.pem")
    return assert_type(classifier.predict(pd.read_csv("rows.csv")), pd.DataFrame)


def steer(storage: Path) -> sweeps.Sweep | None:
    print(sweeps.stop(storage, "51f7"))
    left = sweeps.enqueue(storage, {"sparsity": 0.95, "lr": 2e-3, "epsilon": 0.1})
    assert_type(left.recorded, bool)
    again = sweeps.retry(storage, ["51f7"], max_concurrent=2)
    return again if isinstance(again, sweeps.Sweep) else None


def outcome(sweep: sweeps.Sweep) -> None:
    assert_type(sweep.storage, Path | str)
    assert_type(sweep.plan, sweeps.Plan)
    assert_type(sweep.states, Mapping[str, sweeps.TrialState])
    assert_type(sweep.best, tuple[analysis.Recommendation, ...])
    assert_type(sweep.trials(), pd.DataFrame)
    assert_type(sweep.epochs(), pd.DataFrame)
    assert_type(sweep.unfinished, int)
    assert_type(sweep.missing_models, Mapping[str, str])
    assert_type(sweep.within_budget, bool)
    assert_type(sweep.counts, Mapping[str, int])
    assert_type(sweep.exit_status, int)
    assert_type(sweep.problems(), list[str])
    assert_type(sweep.study, optuna.Study | None)
    assert_type(sweep.plan.objectives, Mapping[str, Literal["min", "max"]])


def decide(storage: Path) -> None:
    for decision in sweeps.run_until("sparsity", "robust", storage=storage, max_seeds=9):
        assert_type(decision, sweeps.Decision)
        assert_type(decision.verdict, str | None)
        assert_type(decision.sweep, sweeps.Sweep)


def tables(storage: Path) -> None:
    trials = assert_type(analysis.load_trials(storage, columns=["val_loss"]), pd.DataFrame)
    epochs = assert_type(analysis.load_epochs(storage), pd.DataFrame)
    manifest = assert_type(analysis.load_manifest(storage), dict[str, Any])
    assert_type(analysis.trial_list(trials, where=["lr<0.01"], sort="cvar_05"), pd.DataFrame)
    recommended = analysis.recommendations(trials, manifest)
    assert_type(recommended, list[analysis.Recommendation])
    assert_type(analysis.summary(trials), pd.DataFrame)
    assert_type(analysis.best_lr(trials, by=["sparsity"]), pd.DataFrame)
    assert_type(analysis.learning_rates(trials), pd.DataFrame)
    assert_type(analysis.claims(trials, manifest, tolerance=0.1), pd.DataFrame)
    assert_type(analysis.max_efficient_sparsity(trials, tolerance=0.1), pd.DataFrame)
    assert_type(analysis.sparsity_passes(trials), pd.DataFrame)
    assert_type(analysis.baselines(trials, manifest), pd.DataFrame)
    assert_type(analysis.compare(trials, "cvar_05"), pd.DataFrame)
    assert_type(analysis.controls(trials, manifest), pd.DataFrame)
    assert_type(analysis.differences(trials, "results/a", ["cvar_05"]), pd.DataFrame)
    assert_type(analysis.robust_against_standard(trials), pd.DataFrame)
    assert_type(analysis.robustness_table(trials), pd.DataFrame)
    assert_type(analysis.budget_curves(trials), pd.DataFrame)
    assert_type(analysis.attack_checks(trials, manifest), list[Check])
    rows = assert_type(analysis.audit(trials, epochs, manifest), pd.DataFrame)
    assert_type(analysis.i_epoch(trials, epochs, manifest), pd.DataFrame)
    assert_type(analysis.soundness(rows), pd.DataFrame)
    files = assert_type(analysis.SweepFiles.of(storage, trials, manifest), analysis.SweepFiles)
    assert_type(analysis.schema.describe(), pd.DataFrame)
    cells = assert_type(analysis.xnn.cells(trials), pd.DataFrame)
    best = assert_type(analysis.xnn.best(cells, within=0.02), pd.Series | None)
    assert_type(analysis.xnn.choose(cells), analysis.xnn.Choice | None)
    plain = assert_type(analysis.xnn.plain_of(cells, best), pd.Series | None)
    assert_type(analysis.xnn.by_group(trials, best, plain), pd.DataFrame)
    assert_type(analysis.xnn.methods(trials), pd.DataFrame)
    assert_type(analysis.xnn.pareto(cells), Front)
    assert_type(analysis.xnn.baselines(manifest), pd.DataFrame)
    assert_type(analysis.xnn.stability(files, trials, cells), tuple[pd.DataFrame, list[str]])
    assert_type(analysis.xnn.spelled_out(trials, manifest), pd.DataFrame)
    if best is not None:
        assert_type(analysis.xnn.members(trials, best), pd.DataFrame)


def statistics(scores: npt.NDArray[np.float64]) -> None:
    interval = analysis.interval(scores)
    assert_type(analysis.bootstrap_interval(scores, np.median, rng=0), analysis.Interval)
    assert_type(analysis.e_values(scores), npt.NDArray[np.float64])
    assert_type(analysis.one_sided_e_values(scores), npt.NDArray[np.float64])
    assert_type(interval, analysis.Interval)
    assert_type(interval.low, float)
    assert_type(analysis.interquartile_mean(scores), npt.NDArray[np.float64])
    assert_type(analysis.holm([0.1, 0.2]), npt.NDArray[np.float64])
    assert_type(analysis.paired_size(0.5), int)
    assert_type(analysis.more_seeds(scores), int | None)


def draw(storage: Path) -> figures.Saved:
    try:
        trials = analysis.load_trials(storage)
        assert_type(figures.render(lambda ax: figures.seeds_compared(trials, ax)), Figure)
        return assert_type(figures.save(storage / "figures", trials), figures.Saved)
    except (analysis.ColumnError, analysis.StorageError, figures.NothingToDraw):
        raise
    except analysis.AnalysisError as error:
        raise SystemExit(str(error)) from error


def draw_axes(trials: pd.DataFrame, ax: Axes) -> None:
    figures.cvar_against_remaining(trials, ax, tolerance=0.1)
    figures.sharpe_against_remaining(trials, ax)
    figures.convergence_speed(trials, ax, sparsity=0.8, epsilon=None)


def replay(storage: Path) -> Simulation:
    recorded = source(storage, trials=100)
    simulation = simulate(recorded.curves, recorded.rule, workers=8)
    assert_type(simulation.survivors, Mapping[int, frozenset[str]])
    return assert_type(simulation, Simulation)


def misspell() -> None:
    sweeps.rnu("tickets")  # type: ignore[attr-defined]
    sweeps.run("tickets", storge="results")  # type: ignore[call-arg]
    analysis.best_lr(3)  # type: ignore[arg-type]
