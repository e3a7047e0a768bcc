"""Trials that diverge in a real sweep: status, reason, and every command on their storage."""

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import analysis
import sweeps
from sweeps import UsageError
from sweeps.inspection.replay import replay
from sweeps.inspection.verify import verify
from sweeps.sealing import seal_trial

pytestmark = [
    pytest.mark.ray,
    # Ray and what it imports warn of their own future; nothing here can mend that.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize(
    ("axes", "cause"),
    [
        (
            {"study.dense.lr": 1e15, "study.training.schedule": "constant"},
            r"dense network of the seed: training loss is \w+ in epoch 1; .*\(dense.lr 1e\+15\)",
        ),
        # The position of the untrained network is worse than none.
        pytest.param(
            {"study.network.hidden": [8], "study.dense.lr": 1e-12},
            r"dense network of the seed: validation CVaR 5 % -\S+ is worse than -\S+ without",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_dense_network_that_diverges_fails_its_tickets_with_the_reason(
    axes, cause, ray_here, tiny, silent, tmp_path
):
    out = tmp_path / "out"
    sweep = sweeps.run(tiny, storage=out, overrides=axes, progress=silent)
    assert sweep.exit_status == 1
    trials = analysis.load_trials(out)
    assert set(trials["status"]) == {"failed"}
    assert trials["error"].str.fullmatch(f"diverged: {cause}.*").all()
    assert trials["dense_cvar_05"].isna().all()
    assert verify(out, data=True).ok
    again = sweeps.run(tiny, storage=out, overrides=axes, progress=silent)
    assert again.counts == {"failed": 8}
    assert not any(trial.fresh for trial in again.states.values())


@pytest.mark.slow
def test_a_ticket_worse_than_no_hedge_fails_without_numbers_and_is_never_sealed(
    ray_here, tiny, silent, tmp_path
):
    out = tmp_path / "out"
    axes = {"space.lr.grid": [1e-2, 1e-12], "space.sparsity.grid": [0.0]}
    small = {"study.network.hidden": [8], "study.dense.epochs": 20, "study.training.epochs": 5}
    sweep = sweeps.run(tiny, storage=out, overrides=axes | small, progress=silent)
    trials = analysis.load_trials(out).set_index("trial_id")
    idle = trials[trials["config/lr"] < 1e-6]
    assert set(idle["status"]) == {"failed"}
    assert idle["error"].str.fullmatch(r"diverged: validation .*\(lr 1e-12\)").all()
    assert idle["cvar_05"].isna().all()
    assert (idle["epochs"] == 5).all()
    assert set(trials.drop(idle.index)["status"]) == {"completed"}
    assert sweep.exit_status == 3
    assert verify(out, data=True).ok
    replayed = replay(out, idle.index[0])
    assert replayed.difference is None
    with pytest.raises(
        UsageError, match=r"failed .diverged: .*cannot be sealed; choose one .* such as"
    ):
        seal_trial(out, idle.index[0], key=Ed25519PrivateKey.generate(), folder=tmp_path / "b")


@pytest.mark.slow
def test_a_longer_limit_gives_a_truncated_trial_another_chance(ray_here, tiny, silent, tmp_path):
    out = tmp_path / "out"
    cut = {
        "space.lr.grid": [3e-3],
        "space.sparsity.grid": [0.0],
        "space.epsilon.grid": [0.0],
        "study.training.epochs": 12,
        "scheduler": {"asha": {"grace_period": 1, "max_t": 1}},
    }
    first = sweeps.run(tiny, storage=out, overrides=cut, progress=silent)
    assert first.counts == {"failed": 1}
    longer = {**cut, "scheduler": {"asha": {"grace_period": 1, "max_t": 12}}}
    second = sweeps.run(tiny, storage=out, overrides=longer, progress=silent)
    assert second.counts == {"completed": 1}
    assert verify(out).ok
    once = sweeps.run(tiny, storage=tmp_path / "once", overrides=longer, progress=silent)
    assert once.counts == {"completed": 1}
    one, other = (analysis.load_trials(path) for path in (out, tmp_path / "once"))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
