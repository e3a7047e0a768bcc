"""Real sweeps on a Ray of this machine, through the public interface."""

import json
import shutil

import pandas as pd
import pytest
from safetensors.torch import load_file
from spaces import TINY

import analysis
import sweeps
from hedgecore.hedging.columns import TEST
from hedgecore.hedging.config import NetworkConfig
from hedgecore.hedging.network import initialise
from hedgecore.rng import stream
from sweeps import SilentProgress, UsageError
from sweeps.execution import ray_sweep
from sweeps.execution.baselines import BaselineTasks
from sweeps.execution.execution import Execution
from sweeps.inspection.verify import verify
from sweeps.journal.journal import read

METRICS = [column.name for column in TEST]
pytestmark = [
    pytest.mark.ray,
    # Ray and what it imports warn of their own future; nothing here can mend that.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TIMING = ["seconds"]


def tables(storage):
    return analysis.load_trials(storage), analysis.load_epochs(storage)


@pytest.fixture(scope="module")
def finished(ray_here, tmp_path_factory):
    """A sweep of the tiny space that ran to its end."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    sweep = sweeps.run(folder / "tiny.yaml", storage=folder / "out", progress=SilentProgress())
    return folder / "tiny.yaml", folder / "out", sweep


def test_every_trial_completes_with_every_metric(finished):
    trials, epochs = tables(finished[1])
    assert trials["status"].tolist() == ["completed"] * 8
    assert epochs.groupby("trial_id", observed=True).size().tolist() == [3] * 8
    columns = [*METRICS, "attacked_cvar_05@path_fgsm:0.2", "cvar_05_minus_dense"]
    assert trials[columns].notna().all().all()


def test_every_column_is_in_the_dictionary_with_its_type(finished):
    trials, epochs = tables(finished[1])
    assert analysis.schema.check(trials, "trials") == []
    assert analysis.schema.check(epochs, "epochs") == []


def test_all_trials_of_a_seed_start_from_one_theta_0(finished):
    trials, _ = tables(finished[1])
    assert trials["theta_0_sha256"].nunique() == 1
    assert trials["data_sha256"].nunique() == 1


def test_the_requested_sparsity_is_met_to_one_weight(finished):
    trials, _ = tables(finished[1])
    total = sum(NetworkConfig(hidden=(8, 8)).weights[:-1])  # the output layer stays dense
    assert (trials["weights_total"] == total).all()
    expected = ((1 - trials["config/sparsity"]) * total).round()
    assert (trials["weights_kept"] == expected).all()


def test_theta_0_on_disk_is_the_one_drawn_from_the_seed(finished):
    (folder,) = (finished[1] / "study").iterdir()
    stored = load_file(folder / "theta_0.safetensors")
    drawn = initialise((8, 8), generator=stream(0, "theta_0"))
    assert all((stored[name] == value).all() for name, value in drawn.items())


def test_a_trained_ticket_is_on_disk_with_exact_zeros_outside_its_mask(finished):
    trials, _ = tables(finished[1])
    row = trials[trials["config/sparsity"] == 0.8].iloc[0]
    tensors = load_file(finished[1] / "models" / row["trial_id"] / "ticket.safetensors")
    kept = 0
    for name in [n for n in tensors if n.startswith("mask.")]:
        mask, weight = tensors[name], tensors[name.removeprefix("mask.")]
        kept += int(mask.sum())
        assert bool((weight[~mask] == 0).all())
    assert kept == row["weights_kept"]


def test_the_manifest_says_what_made_the_numbers(finished):
    manifest = json.loads((finished[1] / "manifest.json").read_text())
    assert manifest["trials"] == 8
    assert manifest["space"]["sparsity"] == {"grid": [0.0, 0.8]}
    assert manifest["study"]["network"]["hidden"] == [8, 8]
    assert manifest["seeds"] == [0]
    assert {"torch", "ray", "numpy"} <= manifest["versions"].keys()


def test_concurrency_does_not_change_a_number(finished, silent, tmp_path):
    space, out, _ = finished
    sweeps.run(space, storage=tmp_path / "one", max_concurrent=1, progress=silent)
    for mine, theirs in zip(tables(tmp_path / "one"), tables(out), strict=True):
        pd.testing.assert_frame_equal(mine.drop(columns=TIMING), theirs.drop(columns=TIMING))


def test_the_same_command_again_trains_nothing(finished, silent, monkeypatch):
    space, out, _ = finished
    before = tables(out)
    monkeypatch.setattr(ray_sweep, "runtime", lambda *_, **__: pytest.fail("started Ray"))
    sweep = sweeps.run(space, storage=out, progress=silent)
    assert sweep.counts == {"completed": 8}
    for mine, theirs in zip(tables(out), before, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_a_grown_space_runs_only_what_is_new(finished, silent, tmp_path):
    space, out, _ = finished
    shutil.copytree(out, tmp_path / "out")
    before = sum(1 for _ in read(tmp_path / "out"))
    overrides = {"space.sparsity.grid": [0.0, 0.5, 0.8]}
    sweeps.run(space, storage=tmp_path / "out", overrides=overrides, progress=silent)
    trials, _ = tables(tmp_path / "out")
    assert sorted(trials["config/sparsity"].unique()) == [0.0, 0.5, 0.8]
    assert trials["index"].tolist() == list(range(12))
    new = list(read(tmp_path / "out"))[before:]
    assert sum("end" in record for record in new) == 4
    # The rerun used the filed theta_star, and its data again have the same bytes.
    assert trials["theta_0_sha256"].nunique() == trials["data_sha256"].nunique() == 1


def test_another_study_is_refused_in_the_same_storage(finished, silent):
    space, out, _ = finished
    with pytest.raises(
        UsageError, match=r"another study or rule \(study.training.epochs 3 -> 4\); give another"
    ):
        sweeps.run(space, storage=out, overrides=["study.training.epochs=4"], progress=silent)


def test_a_diverging_trial_fails_with_epoch_and_reason_and_the_sweep_goes_on(
    ray_here, tiny, silent, tmp_path
):
    overrides = {
        "space.lr.grid": [1e-2, 1e15],
        "space.epsilon.grid": [0.0],
        "study.training.schedule": "constant",
    }
    sweep = sweeps.run(tiny, storage=tmp_path / "out", overrides=overrides, progress=silent)
    trials, _ = tables(tmp_path / "out")
    assert sweep.counts == {"completed": 2, "failed": 2}
    failed = trials[trials["status"] == "failed"]
    assert (failed["config/lr"] == 1e15).all()
    reason = (
        r"diverged: (?:\w+ loss is (?:nan|inf) in epoch \d|validation CVaR 5 % -\S+ is worse).*"
    )
    assert failed["error"].str.fullmatch(reason).all()
    assert trials["converged"].isna().sum() == 2


ASHA = {
    "space.lr.grid": [1e-2, 1e-5, 1e-6, 1e-7],
    "space.epsilon.grid": [0.0],
    "space.seed.grid": [0, 1],
    "scheduler": {
        "asha": {
            "grace_period": 1,
            "reduction_factor": 2,
            "stratify_by": ["sparsity"],
            "replicates": "seed",
        }
    },
}


@pytest.fixture(scope="module")
def judged(ray_here, tmp_path_factory):
    """The tiny space at two seeds under ASHA, one trial at a time."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "tiny.yaml").write_text(TINY)
    sweeps.run(
        folder / "tiny.yaml",
        storage=folder / "out",
        overrides=ASHA,
        max_concurrent=1,
        progress=SilentProgress(),
    )
    return folder / "out"


def test_asha_stops_losers_and_leaves_every_stratum_a_finisher(judged):
    trials, _ = tables(judged)
    stopped = trials[trials["status"] == "stopped"]
    assert set(stopped["stopped_at"]) <= {1, 2}
    assert (stopped["stopped_at"] == stopped["epochs"]).all()
    assert stopped["cvar_05"].isna().all()
    assert stopped["reason"].str.fullmatch(r"rank \d of \d at epoch \d").all()
    done = trials[trials["status"] == "completed"]
    # 4 learning rates a sparsity: 2 go on at epoch 1, then 1, each at both seeds.
    assert done.groupby("config/sparsity").size().tolist() == [2, 2]
    assert len(stopped) == 12


def test_the_seeds_of_a_configuration_go_on_or_stop_together(judged):
    trials, _ = tables(judged)
    fates = trials.groupby(["config/sparsity", "config/lr"])[["status", "stopped_at"]]
    assert (fates.nunique(dropna=False) == 1).all().all()


@pytest.mark.parametrize("lanes", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_survivors_do_not_depend_on_how_many_trials_run_at_a_time(
    judged, tiny, silent, tmp_path, lanes
):
    sweeps.run(
        tiny, storage=tmp_path / "out", overrides=ASHA, max_concurrent=lanes, progress=silent
    )
    for mine, theirs in zip(tables(tmp_path / "out"), tables(judged), strict=True):
        pd.testing.assert_frame_equal(mine.drop(columns=TIMING), theirs.drop(columns=TIMING))


@pytest.mark.slow
def test_a_larger_max_t_continues_what_the_smaller_one_cut_off(judged, tiny, silent, tmp_path):
    out = tmp_path / "out"
    for most in (2, 3):
        overrides = {**ASHA, "scheduler": {"asha": {**ASHA["scheduler"]["asha"], "max_t": most}}}
        sweeps.run(tiny, storage=out, overrides=overrides, progress=silent)
        trials, _ = tables(out)
        assert trials.loc[trials["status"] == "completed", "epochs"].eq(most).all()
    for mine, theirs in zip(tables(out), tables(judged), strict=True):
        pd.testing.assert_frame_equal(mine.drop(columns=TIMING), theirs.drop(columns=TIMING))
    trained = [row["epoch"] for r in read(out) if r["type"] == "segment" for row in r["rows"]]
    assert len(trained) == len(tables(out)[1]), "an epoch was trained twice"


def test_a_smaller_max_t_is_refused(judged, tiny, silent):
    overrides = {**ASHA, "scheduler": {"asha": {**ASHA["scheduler"]["asha"], "max_t": 2}}}
    with pytest.raises(UsageError, match=r"judged up to max_t inf, now 2; a larger one continues"):
        sweeps.run(tiny, storage=judged, overrides=overrides, progress=silent)


@pytest.mark.slow
def test_an_audit_trains_stopped_trials_on_and_leaves_them_stopped(judged, tiny, silent, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(judged, out)
    sweeps.run(tiny, storage=out, overrides=ASHA, audit=1.0, progress=silent)
    trials, epochs = tables(out)
    before, _ = tables(judged)
    same = [c for c in before.columns if c not in ("audited", "audit_val_loss", *TIMING)]
    pd.testing.assert_frame_equal(trials[same], before[same])
    stopped = trials[trials["status"] == "stopped"]
    assert stopped["audited"].all()
    assert stopped["audit_val_loss"].notna().all()
    whole = epochs.groupby("trial_id", observed=True).size()
    assert (whole == 3).all()
    assert epochs["audit"].sum() == (3 - stopped["stopped_at"]).sum()


@pytest.mark.slow
def test_every_trial_that_diverges_fails_at_once_and_the_search_ranks_it_last(
    ray_here, silent, tmp_path
):
    (tmp_path / "tpe.yaml").write_text(
        TINY.replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {loguniform: [1.0e-3, 1.0e+15]}")
        .replace("sparsity: {grid: [0.0, 0.8]}", "sparsity: {uniform: [0.0, 0.9]}")
        .replace("epsilon: {grid: [0.0, 0.2]}", "epsilon: {grid: [0.0]}")
        .replace("scheduler: null", "scheduler: {asha: {grace_period: 1, block: 1, lag: 0}}")
        + "search: {algorithm: tpe, num_samples: 10, delay: 4}\n"
    )
    runs = [
        sweeps.run(
            tmp_path / "tpe.yaml", storage=tmp_path / str(n), max_concurrent=n, progress=silent
        )
        for n in (1, 3)
    ]
    states = [[trial.state.name for trial in sweep.study.trials] for sweep in runs]
    assert states[0] == states[1]
    assert set(states[0]) == {"COMPLETE", "PRUNED"}
    diverged = [t for t in runs[0].study.trials if t.value is None]
    assert diverged
    assert all(list(map(repr, t.intermediate_values.values())) == ["nan"] for t in diverged)
    failed = tables(tmp_path / "1")[0].query("status == 'failed'")
    assert failed["error"].str.startswith("diverged: ").all()
    for one, three in zip(tables(tmp_path / "1"), tables(tmp_path / "3"), strict=True):
        pd.testing.assert_frame_equal(one.drop(columns=TIMING), three.drop(columns=TIMING))
    again = sweeps.run(tmp_path / "tpe.yaml", storage=tmp_path / "1", progress=silent)
    assert [trial.state.name for trial in again.study.trials] == states[0]


@pytest.fixture
def deadline(monkeypatch):
    """Sets the condition on the queue of trials under which the deadline has passed."""

    def passes(condition):
        seconds_left = property(lambda execution: 0.0 if condition(execution.queue) else 60.0)
        monkeypatch.setattr(Execution, "seconds_left", seconds_left)

    return passes


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [None, {"median": {"grace_period": 1}}])
def test_a_budget_ends_the_sweep_and_the_same_command_goes_on(
    ray_here, tiny, silent, tmp_path, deadline, scheduler
):
    out, overrides = tmp_path / "out", {"scheduler": scheduler}
    deadline(lambda queue: any(trial.ended for trial in queue.states.values()))
    cut = sweeps.run(tiny, storage=out, overrides=overrides, progress=silent, max_concurrent=2)
    assert not cut.within_budget
    assert 8 > cut.unfinished > 0
    deadline(lambda queue: False)
    rest = sweeps.run(tiny, storage=out, overrides=overrides, progress=silent)
    assert (rest.within_budget, rest.unfinished) == (True, 0)


def test_a_sweep_whose_last_trial_ends_at_the_deadline_is_within_its_budget(
    ray_here, tiny, silent, tmp_path, deadline
):
    deadline(lambda queue: queue.finished)
    sweep = sweeps.run(tiny, storage=tmp_path / "out", progress=silent)
    assert (sweep.within_budget, sweep.counts) == (True, {"completed": 8})


def test_every_baseline_of_every_seed_is_in_the_manifest(finished):
    manifest = json.loads((finished[1] / "manifest.json").read_text())
    (prepared,) = manifest["preparations"].values()
    assert {"no_hedge", "minimum_variance"} <= prepared["baselines"].keys()
    attacked = {"attacked_cvar_05@path_fgsm:0.2", "cvar_05@attacked_paths", "attacks_not_finite"}
    assert prepared["baselines"]["no_hedge"].keys() == {*METRICS} | attacked


def test_a_narrower_space_counts_its_own_trials_only(finished, silent, tmp_path):
    space, out, _ = finished
    shutil.copytree(out, tmp_path / "out")
    one = {"space.sparsity.grid": [0.8]}
    sweep = sweeps.run(space, storage=tmp_path / "out", overrides=one, progress=silent)
    assert sweep.counts == {"completed": 4}
    assert sweep.unfinished == 0


def test_a_trial_that_asks_for_more_than_there_is_is_refused(ray_here, tiny, silent, tmp_path):
    with pytest.raises(UsageError, match=r"asks for 1 GPU, and Ray has 0 here; lower resources"):
        sweeps.run(tiny, storage=tmp_path / "out", overrides={"resources.gpu": 1}, progress=silent)


@pytest.mark.slow
def test_i_epoch_trains_the_best_of_every_stratum_to_the_end(ray_here, tiny, silent, tmp_path):
    rule = {"i_epoch": {"finish": 1, "stratify_by": ["sparsity"], "replicates": "seed"}}
    overrides = {**ASHA, "scheduler": rule}
    sweeps.run(tiny, storage=tmp_path / "out", overrides=overrides, progress=silent, audit=1.0)
    trials, epochs = tables(tmp_path / "out")
    done = trials[trials["status"] == "completed"]
    assert done.groupby("config/sparsity").size().tolist() == [2, 2]
    assert trials.loc[trials["status"] == "stopped", "stopped_at"].eq(1).all()
    assert verify(tmp_path / "out").ok
    rows = analysis.audit(trials, epochs, analysis.load_manifest(tmp_path / "out"))
    assert rows["outcome"].value_counts().to_dict() == {"audited": 6, "completed": 2}


@pytest.mark.slow
def test_baselines_that_a_sweep_still_lacks_are_computed_by_the_next_call(
    ray_here, finished, tmp_path, monkeypatch
):
    space, complete, _ = finished
    storage = tmp_path / "s"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(BaselineTasks, "_collect", lambda self, *, timeout: False)
        sweeps.run(space, storage=storage, progress=SilentProgress())

    def baselines(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        return {key: entry["baselines"] for key, entry in manifest["preparations"].items()}

    assert not any(baselines(storage).values())
    rows = analysis.load_trials(storage)
    again = sweeps.run(space, storage=storage, progress=SilentProgress())
    assert again.exit_status == 0
    assert baselines(storage) == baselines(complete)
    pd.testing.assert_frame_equal(analysis.load_trials(storage), rows)
    monkeypatch.setattr(ray_sweep, "runtime", lambda *_, **__: pytest.fail("started Ray"))
    sweeps.run(space, storage=storage, progress=SilentProgress())
