"""Workers with another arithmetic than the preparations: refused, or recorded in the rows."""

from dataclasses import replace

import pytest
from local_sweep import run_locally
from logs import manifest as manifest_record
from spaces import TINY

from hedgecore.arithmetic import arithmetic
from hedgecore.config import to_mapping
from sweeps.errors import OtherArithmeticError, SweepError, UsageError
from sweeps.execution import arithmetic as check
from sweeps.execution.worker import SegmentWorker, accepted
from sweeps.experiments import experiment
from sweeps.inspection.verify import verify
from sweeps.journal import preparations
from sweeps.journal.preparations import StoredPreparation
from sweeps.journal.records import Segment, record_of
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.scheduling.ledger import Ledger


@pytest.fixture
def prepared(tmp_path):
    """Experiment, trial, facts and preparation of a sweep computed in this process."""
    run_locally(TINY, tmp_path / "s", stop_after=1)
    recorded = StoredSweep.read(tmp_path / "s")
    plan = recorded.plan(next(iter(recorded.state.trials.values())))
    filed = recorded.filed(plan.preparation, recorded.core)
    preparation = filed.restore(recorded.experiment, plan.study)
    trial = {"trial_id": "a", "study": to_mapping(plan.study)}
    return recorded.experiment, trial, filed.facts, preparation


@pytest.fixture(autouse=True)
def _forget():
    check._checked.clear()
    yield
    check._checked.clear()


def with_sample(experiment, reproduced):
    return replace(experiment, trainer=replace(experiment.trainer, reproduced=reproduced))


def test_the_arithmetic_of_the_preparation_is_accepted_and_checked_once(prepared):
    calls = []
    experiment, *others = prepared
    real = experiment.trainer.reproduced
    counted = with_sample(experiment, lambda *given: calls.append(1) or real(*given))
    for _ in range(3):
        check.check_arithmetic(counted, *others, mixed=False)
    assert len(calls) == 1


PARTS = {
    "cpu": "AVX9", "blas": "other", "switches": "MKL_CBWR=AVX2", "threads": 2, "sample": "0" * 64,
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_another_arithmetic_is_refused_with_the_part_and_the_cure(prepared, monkeypatch, part):
    other = replace(arithmetic(), **{part: PARTS[part]})
    monkeypatch.setattr(check, "arithmetic", lambda: other)
    with pytest.raises(OtherArithmeticError, match=rf"\({part} here {PARTS[part]}.*--allow-mixed"):
        check.check_arithmetic(*prepared, mixed=False)
    check.check_arithmetic(*prepared, mixed=True)


@pytest.mark.parametrize("part", PARTS)
def test_other_data_are_blamed_on_the_arithmetic_that_made_them(tmp_path, monkeypatch, part):
    run_locally(TINY, tmp_path / "s", stop_after=1)
    recorded = StoredSweep.read(tmp_path / "s")
    plan = recorded.plan(next(iter(recorded.state.trials.values())))
    filed = recorded.filed(plan.preparation, recorded.core)
    other = StoredPreparation(replace(filed.facts, data_sha256="0" * 64), filed.files)
    with pytest.raises(UsageError, match=r"prepared from other data, .*; restore that"):
        other.restore(recorded.experiment, plan.study)
    elsewhere = replace(arithmetic(), **{part: PARTS[part]})
    monkeypatch.setattr(preparations, "arithmetic", lambda: elsewhere)
    with pytest.raises(UsageError, match=rf"arithmetic \({part} here {PARTS[part]}.*use the same"):
        other.restore(recorded.experiment, plan.study)


@pytest.mark.parametrize("mixed", [False, True])
def test_numbers_that_do_not_come_out_again_on_the_same_arithmetic_are_always_refused(
    prepared, mixed
):
    experiment, *others = prepared
    other = with_sample(experiment, lambda *given: False)
    with pytest.raises(OtherArithmeticError, match="memory or its libraries are at fault"):
        check.check_arithmetic(other, *others, mixed=mixed)


def test_a_worker_that_is_refused_trains_nothing_and_ends_the_sweep():
    def refuse(trial, checkpoint):
        raise OtherArithmeticError("another arithmetic; use machines alike")

    job = {"trial": {"trial_id": "a"}, "start": 0, "stop": 1}
    segment = SegmentWorker(refuse).segment(job, None)
    assert segment == {"type": "refused", "reason": "another arithmetic; use machines alike"}
    with pytest.raises(SweepError, match="use machines alike"):
        accepted(segment)


def test_a_row_names_every_arithmetic_that_computed_it(tmp_path):
    entry = {"trial_id": "a", "index": 0, "config": {"seed": 0}, "limit": 9, "group": "a"}
    row = {"epoch": 1, "val_loss": 1.0, "best": True}
    ledger = Ledger(tmp_path, core="c", experiment=experiment("tickets"))
    ledger.append(
        record_of(manifest_record()),
        record_of({"type": "trial", **entry, "stratum": "[]", "replicate": 0}),
        Segment(trial_id="a", rows=(row,), arithmetic="aaaaaaaa"),
        Segment(trial_id="a", rows=({**row, "epoch": 2},), arithmetic="0" * 8),
    )
    assert ledger.state.trials["a"].row(live=False)["arithmetic"] == "00000000+aaaaaaaa"
    ledger.close()


def test_a_sweep_on_one_arithmetic_says_which(tmp_path):
    run_locally(TINY, tmp_path / "s", stop_after=2)
    trials = StoredSweep.read(tmp_path / "s").state.trials.values()
    assert {trial.arithmetics for trial in trials if trial.epochs} == {
        frozenset({arithmetic().id})
    }
    assert verify(tmp_path / "s").ok
