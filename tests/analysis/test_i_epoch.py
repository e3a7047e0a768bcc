"""i-Epoch on the trials of a sweep: choices, epochs and differences by hand."""

import pandas as pd
import pytest
from printed import numbers

from analysis import i_epoch
from analysis.audit_findings import rival
from analysis.i_epoch import share

RULE = {"asha": {"metric": "val_loss", "mode": "min", "stratify_by": ["sparsity"]}}
LENGTH = 9


@pytest.fixture
def compared(table):
    """Comparison of trials, given as (value after epoch 1, final value or None, outcome)."""

    def made(*units, sparsity=None, **rule):
        sparsity = sparsity or [0.5] * len(units)
        rows, seen = [], []
        for i, (early, final, outcome) in enumerate(units):
            row = {"sparsity": sparsity[i], "lr": 1e-3 / (1 + i), "epochs": LENGTH}
            if outcome == "completed":
                row |= {"val_loss": final}
            else:
                row |= {"status": "stopped", "stopped_at": 3, "val_loss": early, "epochs": 3}
                row |= {"audited": outcome == "audited", "audit_val_loss": final}
            rows.append(row)
            seen.append([early] * (3 if outcome == "stopped" else LENGTH))
        trials = table(*rows)
        epochs = pd.DataFrame(
            [
                {"trial_id": trial, "epoch": 1 + e, "val_loss": value}
                for trial, values in zip(trials["trial_id"], seen, strict=True)
                for e, value in enumerate(values)
            ]
        )
        return i_epoch(trials, epochs, {"scheduler": {"asha": RULE["asha"] | rule}})

    return made


def test_the_best_of_the_first_epoch_is_compared_with_the_winner(compared):
    row = compared((2.0, 1.0, "completed"), (1.0, 1.5, "audited"), (3.0, None, "stopped")).iloc[0]
    assert (row["units"], row["finish"], row["recorded"]) == (3, 1, 1)
    assert not row["winner_kept"]
    assert row["difference"] == pytest.approx(0.5)


def test_a_choice_without_a_recorded_end_has_no_difference(compared):
    row = compared((2.0, 1.0, "completed"), (1.0, None, "stopped"), (3.0, 2.0, "audited")).iloc[0]
    assert row["recorded"] == 0
    assert pd.isna(row["difference"])


def test_the_winner_is_kept_where_it_leads_after_the_first_epoch(compared):
    row = compared((1.0, 1.0, "completed"), (2.0, None, "stopped")).iloc[0]
    assert row["winner_kept"]
    assert row["difference"] == 0.0


def test_epochs_are_those_of_every_first_and_of_every_chosen_run(compared):
    row = compared((2.0, 1.0, "completed"), (1.0, 1.5, "audited"), (3.0, None, "stopped")).iloc[0]
    assert row["epochs"] == LENGTH + 3 + 3
    assert row["i_epoch_epochs"] == LENGTH + 1 + 1


def test_a_metric_that_is_maximised_is_turned(compared):
    row = compared((2.0, 1.0, "completed"), (1.0, None, "stopped"), mode="max").iloc[0]
    assert row["winner_kept"]


def test_every_stratum_has_its_winner(compared):
    rows = compared(
        (2.0, 1.0, "completed"),
        (1.0, 1.5, "audited"),
        (1.0, 1.0, "completed"),
        (2.0, 2.0, "audited"),
        sparsity=[0.5, 0.5, 0.9, 0.9],
    )
    assert rows["winner_kept"].tolist() == [False, True]
    said = rival(rows)
    assert numbers(said[1])[1:3] == [1, 2]


def test_a_difference_that_is_not_recorded_everywhere_is_not_shown(compared):
    rows = compared((2.0, 1.0, "completed"), (1.0, None, "stopped"))
    assert "not shown" in rival(rows)[-1]


def test_strata_in_which_i_epoch_is_worse_are_counted_with_an_interval(compared):
    rows = compared(
        (2.0, 1.0, "completed"),
        (1.0, 1.5, "audited"),
        (1.0, 1.0, "completed"),
        (2.0, 2.0, "audited"),
        sparsity=[0.5, 0.5, 0.9, 0.9],
    )
    # One of two: the ends p solve 1 - (1 - p)^2 = 2.5 % and p^2 = 97.5 %.
    assert share(rows["difference"].gt(0)) == pytest.approx((1 - 0.975**0.5, 0.975**0.5))
    assert numbers(rival(rows)[-1])[-5:] == [1, 2, 1, 99, 1]


def test_without_a_finisher_there_is_nothing_to_compare(compared):
    assert compared((2.0, 1.0, "audited"), (1.0, None, "stopped")).empty
    assert rival(compared((2.0, 1.0, "audited"))) == []
