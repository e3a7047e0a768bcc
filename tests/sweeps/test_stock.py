"""Ray's own schedulers: stock ASHA by hand, and each of them in a real sweep."""

from types import SimpleNamespace

import pytest
from spaces import TINY

import analysis
import sweeps
from search_spaces import StockAsha
from sweeps import SilentProgress
from sweeps.execution.ray_schedulers import SteadyHyperBand, StratifiedAsha

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


class Controller:
    """Stops trials as Tune does: the scheduler hears of it at once."""

    def __init__(self, band):
        self.band = band

    def stop_trial(self, it):
        it.status = "TERMINATED"
        self.band.on_trial_remove(self, it)


class Paused:
    """A trial of HyperBand's, by its status."""

    status, is_saving = "RUNNING", False


def hyperband():
    """A band of reduction 2 to epoch 4, the trials of its brackets, and a way to report."""
    band = SteadyHyperBand(
        time_attr="epoch", metric="loss", mode="min", max_t=4, reduction_factor=2
    )
    controller, trials = Controller(band), [Paused() for _ in range(10)]
    for it in trials:
        band.on_trial_add(controller, it)

    def say(it, epoch, loss=1.0):
        it.status = "RUNNING"
        decision = band.on_trial_result(controller, it, {"epoch": epoch, "loss": loss})
        if decision == band.PAUSE:
            it.status = "PAUSED"
        return decision

    def fail(it):
        it.status = "ERROR"
        band.on_trial_error(controller, it)

    return band, trials, say, fail


def test_hyperband_ends_a_bracket_whose_last_trial_fails():
    _, (a, b, c, *_), say, fail = hyperband()
    assert say(a, 4) == say(b, 4) == SteadyHyperBand.PAUSE
    fail(c)
    assert a.status == b.status == "TERMINATED"


def test_hyperband_halves_again_where_a_promoted_trial_fails():
    band, trials, say, fail = hyperband()
    a, b, c, d = trials[6:]
    for it, loss in ((a, 1.0), (b, 2.0), (c, 3.0)):
        assert say(it, 1, loss) == SteadyHyperBand.PAUSE
    assert say(d, 1, 4.0) == SteadyHyperBand.STOP
    assert c.status == "TERMINATED"
    assert say(a, 2) == SteadyHyperBand.PAUSE
    fail(b)
    bracket, _ = band._trial_info[a]
    assert a in bracket.trials_to_unpause


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
        "space.lr.grid": [1e-2, 3e-3, 1e-3, 1e15],
        "study.training.schedule": "constant",
        "scheduler": {kind: RULES[kind]},
    }
    sweep = sweeps.run(
        tmp_path / "tiny.yaml",
        storage=tmp_path / "out",
        overrides=overrides,
        progress=SilentProgress(),
    )
    trials = analysis.load_trials(tmp_path / "out")
    assert sweep.unfinished == 0
    assert set(trials["status"]) <= {"completed", "stopped", "failed"}
    done = trials[trials["status"] == "completed"]
    # Only ASHA is told to keep a finisher in every stratum.
    assert done["config/sparsity"].nunique() >= (2 if kind == "stock_asha" else 1)
    assert done["cvar_05"].notna().all()
