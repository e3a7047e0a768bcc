"""The display of a sweep: a panel on a terminal, lines elsewhere, and the status beside it."""

import io
from dataclasses import replace

import pytest
from local_sweep import run_locally
from printed import lines_with, numbers
from rich.console import Console
from spaces import TINY

from sweeps.experiments import experiment
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring import best as best_trial
from sweeps.monitoring.best import best
from sweeps.monitoring.progress import LivePanel, PlainLines, State
from sweeps.monitoring.status import lines, status

ASHA = {"scheduler": {"asha": {"grace_period": 1, "block": 3, "stratify_by": ["sparsity"]}}}


@pytest.fixture(scope="module")
def storages(tmp_path_factory):
    """A finished sweep, and one that was cut off."""
    folder = tmp_path_factory.mktemp("display")
    run_locally(TINY, folder / "out", overrides=ASHA)
    run_locally(TINY, folder / "part", overrides=ASHA, stop_after=6)
    return folder / "out", folder / "part"


@pytest.fixture
def state(storages):
    def _state(storage=storages[0], **changes):
        trials = StoredSweep.read(storage).state.trials
        times = {"began": 0.0, "first_trial": 0.0, "running_ids": frozenset("ab")}
        whole = State(experiment=experiment("tickets"), trials=trials, total=8, **times)
        return replace(whole, **changes)

    return _state


def drawn(state: State) -> str:
    """The panel as a terminal of 120 columns shows it."""
    panel = LivePanel()
    panel.update(state)
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(panel._draw())
    return console.file.getvalue()


def test_the_panel_shows_a_bar_epochs_the_best_trial_and_ids(state):
    shown, trials = drawn(state()), state().trials
    (bar,) = lines_with(shown, "done")
    ended = sum(trial.ended is not None for trial in trials.values())
    assert f"{ended}/8 done · 2 running" in bar
    assert "━" in bar
    headline = max(
        (trial.best()["val_cvar_05"], trial_id)
        for trial_id, trial in trials.items()
        if trial.ended != "failed"
    )
    (line,) = lines_with(shown, "best so far")
    assert headline[1][:8] in line
    assert numbers(line.partition("CVaR 5 %")[2])[0] == pytest.approx(headline[0], abs=1e-3)
    rows = [line for line in shown.splitlines() if "/3" in line and "best" not in line]
    assert len(rows) == 4
    ids = {trial_id[:8] for trial_id in trials}
    assert {row.split()[-1] for row in rows} < ids


def test_a_trial_that_waits_for_a_verdict_is_not_shown_as_running(state, storages):
    part = state(storages[1])
    waiting = frozenset(i for i, trial in part.trials.items() if trial.epochs and not trial.ended)

    def standings(shown):
        rows = [line.split() for line in shown.splitlines() if "/3" in line and "best" not in line]
        return {words[-2] for words in rows for i in waiting if words[-1] == i[:8]}

    assert standings(drawn(part)) == {"waiting"}
    assert standings(drawn(replace(part, running_ids=waiting))) == {"running"}


def test_the_bar_counts_the_epochs_of_trials_that_have_not_ended(state, storages):
    def filled(shown):
        bar = lines_with(shown, "done")[0]
        return bar.count("━")

    part = state(storages[1])
    assert any(trial.epochs and not trial.ended for trial in part.trials.values())
    none = {i: replace(trial, epochs={}) for i, trial in part.trials.items()}
    assert "best so far" in drawn(part)
    assert "best so far" not in drawn(replace(part, trials=none))
    assert filled(drawn(state(total=0))) > 0


def test_the_status_has_the_best_trial_of_the_panel_until_the_sweep_is_finished(storages, state):
    finished, part = storages
    (line,) = lines_with("\n".join(lines(status(part))), "best so far")
    assert line in drawn(state(part))
    assert lines_with("\n".join(lines(status(finished))), "best so far") == []
    assert status(finished).best == best(state().trials)


def test_a_trial_without_a_finite_value_or_that_failed_is_not_the_best(state):
    trials = dict(state().trials)
    first = best(trials)
    place = trials[first.trial_id].columns.index("val_cvar_05")

    def spoiled(trial, value):
        rows = {n: (*row[:place], value, *row[place + 1 :]) for n, row in trial.epochs.items()}
        return replace(trial, epochs=rows)

    for value in (None, float("nan"), float("-inf")):
        trials[first.trial_id] = spoiled(trials[first.trial_id], value)
        assert best(trials).trial_id != first.trial_id
    assert best({}) is None
    renamed = {
        i: replace(t, columns=tuple("x" if c == "val_cvar_05" else c for c in t.columns))
        for i, t in trials.items()
    }
    losses = {i: t.best()["val_loss"] for i, t in renamed.items() if t.ended != "failed"}
    assert best(renamed).value == min(losses.values())
    assert best(renamed).column == "val_loss"


def test_a_hostile_axis_is_escaped(state):
    trial_id, trial = next(iter(state().trials.items()))
    entry = replace(trial.entry, config={"a\x1b[31m": "\x1b]0;x\x07\u202e"})
    found = best({trial_id: replace(trial, entry=entry)})
    assert found.line().isprintable()
    assert "\\u001b" in found.line()


def test_elsewhere_a_line_of_each_end_has_the_trial_s_id(state, capsys):
    fresh = {i: replace(trial, fresh=True) for i, trial in state().trials.items()}
    PlainLines().update(state(trials=fresh))
    output = capsys.readouterr().out.splitlines()
    assert len(output) == sum(trial.ended is not None for trial in fresh.values())
    length = best_trial.ID_LENGTH
    assert {line.partition("| ")[2][:length] for line in output} <= {i[:length] for i in fresh}
