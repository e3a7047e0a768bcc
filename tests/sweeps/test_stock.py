"""Ray's own schedulers: stock ASHA by hand, and each of them in a real sweep."""

from types import SimpleNamespace

import pytest
from spaces import TINY

import analysis
import sweeps
from search_spaces import StockAsha
from sweeps import Silent
from sweeps.workers.stock import StratifiedAsha

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
STOP, CONTINUE = StratifiedAsha.STOP, StratifiedAsha.CONTINUE


def scheduler(**options):
    rule = StockAsha(grace_period=1, reduction_factor=3, **options)
    return StratifiedAsha(rule, lambda config: config["epsilon"])


def trial(name, epsilon=0.0, epochs=9):
    job = {"trial": {"config": {"epsilon": epsilon}}, "limit": epochs}
    return SimpleNamespace(trial_id=name, config={"job": job})


def report(asha, it, epoch, loss):
    return asha.on_trial_result(None, it, {"epoch": epoch, "val_loss": loss})


def entered(asha, *trials):
    for it in trials:
        asha.on_trial_add(None, it)
    return trials


def test_within_a_stratum_the_worst_is_stopped():
    asha = scheduler()
    a, b, c = entered(asha, trial("a"), trial("b"), trial("c"))
    decisions = [report(asha, t, 1, loss) for t, loss in ((a, 1.0), (b, 2.0), (c, 3.0))]
    assert decisions == [CONTINUE, STOP, STOP]


def test_a_robust_trial_is_never_judged_against_clean_ones():
    asha = scheduler()
    clean = entered(asha, *(trial(f"c{i}") for i in range(5)))
    (robust,) = entered(asha, trial("robust", epsilon=0.5))
    for it in clean:
        report(asha, it, 1, 1.0)
    assert report(asha, robust, 1, 100.0) == CONTINUE


def test_nobody_is_stopped_at_its_own_last_epoch():
    asha = scheduler()
    a, b = entered(asha, trial("a"), trial("b", epochs=3))
    for epoch in (1, 2, 3):
        report(asha, a, epoch, 1.0)
    for epoch, loss in ((1, 1.0), (2, 1.0), (3, 50.0)):
        assert report(asha, b, epoch, loss) == CONTINUE


@pytest.mark.parametrize(("mode", "survivor"), [("min", "low"), ("max", "high")])
def test_the_declared_direction_decides(mode, survivor):
    asha = scheduler(mode=mode)
    low, high = entered(asha, trial("low"), trial("high"))
    order = [(low, 1.0), (high, 2.0)] if survivor == "low" else [(high, 2.0), (low, 1.0)]
    assert [report(asha, t, 1, loss) for t, loss in order] == [CONTINUE, STOP]


RULES = {
    "stock_asha": {"grace_period": 1, "reduction_factor": 2, "stratify_by": ["sparsity"]},
    "median": {"grace_period": 1, "min_samples": 2},
    "hyperband": {"reduction_factor": 2},
    "pbt": {"axes": ["lr"], "perturbation_interval": 1},
}


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind == "stock_asha" else pytest.param(kind, marks=pytest.mark.slow)
        for kind in RULES
    ],
)
def test_each_of_rays_schedulers_ends_a_sweep_with_finishers(ray_here, tmp_path, kind):
    (tmp_path / "tiny.yaml").write_text(TINY)
    sparsities = [0.5] if kind == "pbt" else [0.0, 0.8]
    overrides = {
        "space.sparsity.grid": sparsities,
        "space.epsilon.grid": [0.0],
        "space.lr.grid": [1e-2, 3e-3, 1e-3, 1e30],
        "study.training.schedule": "constant",
        "scheduler": {kind: RULES[kind]},
    }
    sweep = sweeps.run(
        tmp_path / "tiny.yaml", storage=tmp_path / "out", overrides=overrides, progress=Silent()
    )
    trials = analysis.load_trials(tmp_path / "out")
    assert sweep.left == 0
    assert set(trials["status"]) <= {"completed", "stopped", "failed"}
    done = trials[trials["status"] == "completed"]
    # Only ASHA is told to keep a finisher in every stratum.
    assert done["config/sparsity"].nunique() >= (2 if kind == "stock_asha" else 1)
    assert done["cvar_05"].notna().all()
