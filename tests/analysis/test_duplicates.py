"""Frames that hold trials twice: every public table counts a seed of a configuration once."""

import inspect
import itertools
import json
from dataclasses import asdict

import faked_xnn
import numpy as np
import pandas as pd
import pytest
from quick import quick_of

import analysis
from analysis import ColumnError, xnn
from tests.simulated_tickets import DENSE, SPREAD

SEEDS = 5
ATTACK = "attacked_cvar_05@path_pgd:0.1"
TICKETS = {
    "attack_checks": lambda t, m, e: analysis.attack_checks(t, m),
    "audit": lambda t, m, e: analysis.audit(t, e, m),
    "baselines": lambda t, m, e: analysis.baselines(t, m),
    "best_lr": lambda t, m, e: analysis.best_lr(t),
    "budget_curves": lambda t, m, e: analysis.budget_curves(t, m),
    "claims": lambda t, m, e: analysis.claims(t, m),
    "compare": lambda t, m, e: analysis.compare(t),
    "controls": lambda t, m, e: analysis.controls(t, m),
    "differences": lambda t, m, e: analysis.differences(t, t, ["cvar_05"], by=["sparsity"]),
    "i_epoch": lambda t, m, e: analysis.i_epoch(t, e, m),
    "learning_rates": lambda t, m, e: analysis.learning_rates(t),
    "max_efficient_sparsity": lambda t, m, e: analysis.max_efficient_sparsity(t),
    "recommendations": lambda t, m, e: pd.DataFrame(map(asdict, analysis.recommendations(t, m))),
    "robust_against_standard": lambda t, m, e: analysis.robust_against_standard(t),
    "robustness_table": lambda t, m, e: analysis.robustness_table(t),
    "sparsity_passes": lambda t, m, e: analysis.sparsity_passes(t),
    "summary": lambda t, m, e: analysis.summary(t),
}
LISTS = {"trial_list"}
"""Functions that return rows of the frame as they are."""
XNN = {
    "by_group": lambda t, s, m: xnn.by_group(t, *_chosen(t)),
    "cells": lambda t, s, m: xnn.cells(t),
    "members": lambda t, s, m: xnn.members(t, _chosen(t)[0]),
    "methods": lambda t, s, m: xnn.methods(t),
    "spelled_out": lambda t, s, m: xnn.spelled_out(t, m),
    "stability": lambda t, s, m: xnn.stability(analysis.SweepFiles.of(s, t, m), t, xnn.cells(t))[
        0
    ],
}
TWICE = {
    "one after the other": lambda frame: pd.concat([frame, frame], ignore_index=True),
    "with equal labels": lambda frame: pd.concat([frame, frame]),
    "of two storages": lambda frame: pd.concat([frame, _rerun(frame)], ignore_index=True),
}


def _chosen(trials):
    table = xnn.cells(trials)
    cell = table[table["adj_weight"].gt(0.0)].iloc[0]
    return cell, xnn.plain_of(table, cell)


def _rerun(frame):
    """The same results with other wall times."""
    return frame.assign(seconds=9.0)


def _equal(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(
            one.reset_index(drop=True), other.reset_index(drop=True), check_like=True
        )
    else:
        assert one == other


@pytest.fixture(name="sweep")
def _sweep(table):
    """Trials of every kind that tables tell apart, their epochs and their manifest."""

    def build(seeds=SEEDS):
        rng = np.random.default_rng(0)
        rows = [
            {"sparsity": sparsity, "epsilon": epsilon, "lr": lr, "seed": seed, "ticket": kind}
            | {"cvar_05": DENSE + SPREAD * rng.normal(), "val_loss": 3.0 + 0.1 * rng.normal()}
            | {ATTACK: 2 * DENSE + SPREAD * rng.normal(), "budget": budget}
            for sparsity, epsilon, lr, kind, budget, seed in itertools.product(
                (0.5, 0.9),
                (0.0, 0.1),
                (1e-3, 1e-2),
                ("lottery", "random_mask"),
                (10, 20),
                range(seeds),
            )
        ]
        axes = {
            "config/ticket": [row.pop("ticket") for row in rows],
            "config/training.epochs": [row.pop("budget") for row in rows],
        }
        trials = table(*rows).assign(**axes)
        trials["config/ticket"] = trials["config/ticket"].astype("string")
        stopped = trials["config/lr"].eq(1e-2) & trials["config/sparsity"].eq(0.5)
        trials.loc[stopped, ["status", "stopped_at"]] = ["stopped", 1]
        trials["audited"] = stopped
        trials.loc[stopped, "audit_val_loss"] = 3.1
        configs = [name for name in trials if name.startswith("config/")]
        epochs = pd.concat(
            trials[["trial_id", *configs, "val_loss"]].assign(epoch=epoch) for epoch in (1, 20)
        )
        hedges = {name: {"cvar_05": DENSE - 1.0} for name in ("static", "minimum_variance")}
        manifest = {
            "scheduler": {"asha": {"metric": "val_loss", "stratify_by": ["sparsity"]}},
            "preparations": {
                str(s): {"seed": s, "data_sha256": f"{s:064x}", "baselines": hedges}
                for s in range(seeds)
            },
        }
        return trials, manifest, epochs

    return build


@pytest.fixture(name="explained", scope="module")
def _explained(tmp_path_factory):
    storage = faked_xnn.storage(
        tmp_path_factory.mktemp("xnn") / "sweep",
        weights=(0.0, 0.3),
        clusters=(2, 6),
        method=("alignment", "multiplier"),
    )
    return analysis.load_trials(storage), storage, analysis.load_manifest(storage)


def test_every_public_table_of_trials_is_among_these():
    for module, tables in ((analysis, TICKETS), (xnn, XNN)):
        public = [(name, getattr(module, name)) for name in module.__all__]
        named = {
            name
            for name, entry in public
            if inspect.isfunction(entry) and "trials" in inspect.signature(entry).parameters
        }
        assert named - LISTS == set(tables)


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("name", quick_of(TICKETS, every=3))
def test_a_tickets_table_of_a_frame_twice_is_that_of_the_frame(name, twice, sweep):
    trials, manifest, epochs = sweep()
    once = TICKETS[name](trials, manifest, epochs)
    assert len(once)
    _equal(TICKETS[name](TWICE[twice](trials), manifest, TWICE[twice](epochs)), once)


@pytest.mark.parametrize("twice", TWICE)
@pytest.mark.parametrize("name", XNN)
def test_an_xnn_table_of_a_frame_twice_is_that_of_the_frame(name, twice, explained):
    trials, storage, manifest = explained
    once = XNN[name](trials, storage, manifest)
    assert len(once)
    _equal(XNN[name](TWICE[twice](trials), storage, manifest), once)


@pytest.mark.parametrize("name", TICKETS)
def test_two_results_of_one_configuration_and_seed_are_refused(name, sweep):
    trials, manifest, epochs = sweep()
    other = trials.assign(cvar_05=trials["cvar_05"] + 0.1, trial_id="u" + trials["trial_id"])
    with pytest.raises(
        ColumnError, match=r"two different results of .*seed 0.*; pass the frame of"
    ):
        TICKETS[name](pd.concat([trials, other]), manifest, epochs)
    # The cure: the sweeps hedge two problems.
    both = [
        frame.assign(**{"config/market.xi": xi}) for frame, xi in ((trials, 0.1), (other, 0.5))
    ]
    TICKETS[name](pd.concat(both), manifest, epochs)


def test_a_trial_that_was_running_in_one_frame_is_that_of_its_end(sweep):
    trials, *_ = sweep()
    before = trials.copy()
    before.loc[:3, "status"] = "running"
    before.loc[:3, "cvar_05"] = np.nan
    _equal(analysis.summary(pd.concat([before, trials])), analysis.summary(trials))


@pytest.mark.parametrize("seeds", [pd.NA, None], ids=["null", "absent"])
def test_trials_without_seeds_are_one_seed_and_decide_nothing(seeds, sweep, explained):
    trials, manifest, epochs = sweep()
    trials = (
        trials.drop(columns="config/seed")
        if seeds is None
        else trials.assign(**{"config/seed": pd.array([seeds] * len(trials), dtype="Int64")})
    )
    for name in ("summary", "learning_rates", "budget_curves", "robustness_table", "compare"):
        assert TICKETS[name](trials, manifest, epochs)["seeds"].fillna(0).max() == 1
    assert analysis.sparsity_passes(trials)["passes"].isna().all()
    assert set(analysis.max_efficient_sparsity(trials)["limited_by"]) == {"undecided"}
    for name in ("compare", "controls", "robust_against_standard"):
        verdicts = TICKETS[name](trials, manifest, epochs)["verdict"].dropna()
        assert set(verdicts) <= {"not shown"}
    page = analysis.claims(trials, manifest)
    assert set(page["verdict"]) <= {"undecided", "not asked"}
    rows, _, about = explained
    rows = rows.drop(columns="config/seed")
    table = xnn.cells(rows)
    assert table["seeds"].eq(1).all()
    assert set(table["cross_entropy_minus_plain_verdict"].dropna()) <= {"not shown"}
    assert set(analysis.claims(rows, about)["verdict"]) <= {"undecided", "not asked"}


def test_a_null_weight_that_is_a_swept_one_is_the_same_seed(explained):
    trials, _, manifest = explained
    swept = trials[trials["config/adj_weight"].eq(0.3)]
    nulls = swept.assign(**{"config/adj_weight": np.nan})
    nulls["cross_entropy"] += 0.5
    study = {**manifest["study"], "explanation": {"adj_weight": 0.3}}
    both = xnn.spelled_out(pd.concat([trials, nulls], ignore_index=True), {"study": study})
    _equal(xnn.cells(both), xnn.cells(trials))


BY_NAME = ("trials", "epochs", "manifest")


@pytest.mark.parametrize(
    "name", quick_of(sorted(TICKETS.keys() - {"differences", "recommendations"}), every=3)
)
def test_a_tickets_table_of_a_storage_is_that_of_its_frames(name, sweep, write, tmp_path):
    trials, manifest, epochs = sweep()
    storage = write(tmp_path / "sweep", trials, epochs)
    (storage / "manifest.json").write_text(json.dumps(manifest))
    function = getattr(analysis, name)
    loaded = analysis.load_trials(storage), analysis.load_epochs(storage), manifest
    taken = inspect.signature(function).parameters
    frames = {n: f for n, f in zip(BY_NAME, loaded, strict=True) if n in taken}
    _equal(function(storage), function(**frames))
    _equal(function(str(storage)), function(**frames))


@pytest.mark.parametrize("name", sorted(XNN.keys() - {"by_group", "members", "stability"}))
def test_an_xnn_table_of_a_storage_is_that_of_its_frame(name, explained):
    trials, storage, manifest = explained
    _equal(getattr(xnn, name)(storage), XNN[name](trials, storage, manifest))
