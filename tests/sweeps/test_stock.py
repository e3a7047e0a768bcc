from types import SimpleNamespace

import pytest

from search_spaces import Asha
from sweeps.asha import StratifiedAsha

pytestmark = pytest.mark.ray
STOP, CONTINUE = StratifiedAsha.STOP, StratifiedAsha.CONTINUE


def scheduler(**options):
    asha = Asha(grace_period=1, reduction_factor=3, **options)
    return StratifiedAsha(asha, lambda config: config["epsilon"])


def trial(name, epsilon=0.0, epochs=9):
    about = {"config": {"epsilon": epsilon}, "study": {"training": {"epochs": epochs}}}
    return SimpleNamespace(trial_id=name, config={"trial": about})


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


def test_trials_are_judged_at_rungs_only():
    asha = scheduler()
    a, b = entered(asha, trial("a"), trial("b"))
    for epoch in (1, 2, 3):
        report(asha, a, epoch, 1.0)
    assert report(asha, b, 1, 1.0) == CONTINUE
    assert report(asha, b, 2, 50.0) == CONTINUE
    assert report(asha, b, 3, 50.0) == STOP


def test_nobody_is_stopped_at_its_own_last_epoch():
    asha = scheduler()
    a, b = entered(asha, trial("a"), trial("b", epochs=3))
    for epoch in (1, 2, 3):
        report(asha, a, epoch, 1.0)
    for epoch, loss in ((1, 1.0), (2, 1.0), (3, 50.0)):
        assert report(asha, b, epoch, loss) == CONTINUE


def test_the_report_that_ends_a_trial_is_no_rung():
    asha = scheduler()
    (a,) = entered(asha, trial("a"))
    assert asha.on_trial_result(None, a, {"end": {}}) == CONTINUE


@pytest.mark.parametrize(("mode", "survivor"), [("min", "low"), ("max", "high")])
def test_the_declared_direction_decides(mode, survivor):
    asha = scheduler(mode=mode)
    low, high = entered(asha, trial("low"), trial("high"))
    order = [(low, 1.0), (high, 2.0)] if survivor == "low" else [(high, 2.0), (low, 1.0)]
    assert [report(asha, t, 1, loss) for t, loss in order] == [CONTINUE, STOP]
