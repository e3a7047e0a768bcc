"""F13: what a person, a closed terminal, SLURM, Kubernetes and a spot market send."""

import signal
from pathlib import Path

import pytest
from invariants import leaves_nothing
from local_sweep import run_locally
from reliability.sweeping import SPACE, Driver, acknowledged, same

import analysis
from sweeps.outcome import SOME_FAILED
from sweeps.signals import Interrupted, delayed_interrupt, interruptible

pytestmark = pytest.mark.ray

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
# Long enough to be met at work.
LONG = (
    *("--set", "study.training.epochs=3000", "--set", "study.training.patience=3000"),
    *("--set", "scheduler=null"),
)
SHORT = ("--set", "scheduler=null")
SAID = "interrupted: run the same command again to continue"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The space without a scheduler, and a storage in which it ran to its end."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "space.yaml").write_text(SPACE)
    run_locally(folder / "space.yaml", folder / "out", overrides={"scheduler": None})
    return folder / "space.yaml", folder / "out"


@pytest.fixture
def space(tmp_path: Path) -> Path:
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path / "space.yaml"


def ends_in_order(driver: Driver, number: int) -> None:
    """I1, I5 and I6."""
    assert driver.interrupt(number) == 128 + number, driver.errors
    assert driver.errors.strip() == SAID
    driver.leaves_no_process()
    leaves_nothing(driver.storage)
    acknowledged(driver.said, driver.storage)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in SIGNALS[1:])],
    ids=lambda n: n.name,
)
def test_a_signal_while_trials_run_ends_the_sweep_in_order(space, tmp_path, number):
    out = tmp_path / "out"
    with Driver(space, out, *LONG) as driver:
        assert driver.trains(), driver.errors
        ends_in_order(driver, number)
    trials = analysis.load_trials(out)
    assert set(trials["status"]) <= {"interrupted", "completed", "failed"}
    assert "interrupted" in set(trials["status"])


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_a_signal_during_preparation_ends_the_sweep_and_the_next_start_completes_it(
    finished, tmp_path, number
):
    space, reference = finished
    with Driver(space, tmp_path / "out", *SHORT) as driver:
        assert driver.says("preparing")
        ends_in_order(driver, number)
    with Driver(space, tmp_path / "out", *SHORT) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(tmp_path / "out", reference)


@pytest.mark.slow
def test_signals_start_after_start_change_nothing(finished, tmp_path):
    space, reference = finished
    for number in SIGNALS:
        with Driver(space, tmp_path / "out", *SHORT) as driver:
            if driver.records(6):
                ends_in_order(driver, number)
    with Driver(space, tmp_path / "out", *SHORT) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
    same(tmp_path / "out", reference)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(space, tmp_path):
    with Driver(space, tmp_path / "out", *LONG) as driver:
        assert driver.segments(1), driver.errors
        driver.process.send_signal(signal.SIGINT)
        assert driver.interrupt(signal.SIGINT) == 128 + signal.SIGINT, driver.errors
        assert "Traceback" not in driver.errors
        driver.leaves_no_process()
        leaves_nothing(tmp_path / "out")
        acknowledged(driver.said, tmp_path / "out")


@pytest.mark.parametrize("number", SIGNALS, ids=lambda n: n.name)
def test_a_signal_while_nothing_is_left_harms_nothing(finished, number):
    space, out = finished
    with Driver(space, out, *SHORT) as driver:
        assert driver.says("at most")
        status = driver.interrupt(number)
        assert status in (SOME_FAILED, 128 + number), driver.errors
        (line,) = driver.errors.strip().splitlines()
        assert (line == SAID) == (status == 128 + number)
    leaves_nothing(out)
    assert set(analysis.load_trials(out)["status"]) == {"completed", "failed"}


def test_a_signal_keeps_its_number_where_a_library_raises_an_interrupt_of_its_own():
    def library() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted:
            raise KeyboardInterrupt from None

    with pytest.raises(Interrupted) as caught, interruptible():
        library()
    assert caught.value.number == signal.SIGTERM


def test_control_an_interrupt_without_a_signal_stays_what_it_is():
    with pytest.raises(KeyboardInterrupt) as caught, interruptible():
        raise KeyboardInterrupt
    assert not isinstance(caught.value, Interrupted)


def test_a_signal_during_an_append_is_raised_after_it():
    done = []

    @delayed_interrupt()
    def append() -> None:
        signal.raise_signal(signal.SIGTERM)
        done.append("rest of the record")

    with pytest.raises(Interrupted) as caught, interruptible():
        append()
    assert caught.value.number == signal.SIGTERM
    assert done == ["rest of the record"]


def test_an_error_of_an_append_during_a_signal_is_not_lost():
    @delayed_interrupt()
    def append() -> None:
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk is full")

    with pytest.raises(Interrupted) as caught, interruptible():
        append()
    assert isinstance(caught.value.__context__, OSError)
