"""Audit of stopped trials: counts by hand, intervals by closed form."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import scipy
from printed import numbers

from analysis import ColumnError, audit, soundness
from analysis.audit_findings import stopping
from analysis.stopped_units import stopped_units

RUNG, LATER = 8, 16


def manifest(*, by=("sparsity",), replicates=None, share=0.1, **more):
    rule = {"metric": "val_loss", "mode": "min", "stratify_by": list(by), "replicates": replicates}
    return {"audit": share, "scheduler": {"asha": rule | more}}


def completed(at_rung, final, **more):
    return {"val_loss": final, "seen": {RUNG: at_rung, LATER: final + 0.1}, **more}


def stopped(at_rung, final=None, *, at=RUNG, **more):
    """Stopped at ``at``; continued to ``final`` if that is given."""
    seen = {RUNG: at_rung, LATER: at_rung - 0.1}
    seen = {e: v for e, v in seen.items() if e <= at or final is not None}
    row = {"status": "stopped", "stopped_at": at, "val_loss": at_rung, "seen": seen}
    return row | {"audited": final is not None, "audit_val_loss": final} | more


@pytest.fixture
def sweep(table):
    """Trials and epochs of these rows; ``seen`` has the validation risk by epoch."""

    def made(*rows):
        rows = [{"sparsity": 0.5, "lr": 1e-3 / (1 + i)} | row for i, row in enumerate(rows)]
        seen = [row.pop("seen", {}) for row in rows]
        trials = table(*rows)
        epochs = pd.DataFrame(
            [
                {"trial_id": trial, "epoch": epoch, "val_loss": value}
                for trial, values in zip(trials["trial_id"], seen, strict=True)
                for epoch, value in values.items()
            ],
            columns=["trial_id", "epoch", "val_loss"],
        )
        return trials, epochs

    return made


def judged(sweep, *rows, **rule):
    return soundness(audit(*sweep(*rows), manifest(**rule)))


def test_a_stop_is_false_where_the_trial_would_have_beaten_the_best_finisher(sweep):
    every = judged(
        sweep,
        completed(3.0, 2.0),
        completed(3.1, 2.4),
        stopped(3.2, 1.9),
        stopped(3.3, 2.2),
        stopped(3.4, 2.9),
        stopped(3.5),
    ).iloc[0]
    assert every[["audited", "false_stops", "within_survivors"]].tolist() == [3, 1, 2]
    assert every["false_stop_rate"] == pytest.approx(1 / 3)
    assert every["within_rate"] == pytest.approx(2 / 3)
    assert every["regret"] == pytest.approx(0.1)


def test_a_trial_that_a_user_stopped_is_no_stop_of_the_scheduler(sweep):
    rows = [completed(3.0, 2.0), stopped(3.2, 1.9), stopped(3.5)]
    by_user = stopped(3.6, at=RUNG) | {"stopped_at": None}
    without, within = (
        stopped_units(sweep(*some)[0], manifest()) for some in (rows, [*rows, by_user])
    )
    assert within["outcome"].tolist() == ["completed", "audited", "stopped", "failed"]
    assert within["weight"].tolist()[:3] == without["weight"].tolist() == [1.0, 2.0, 1.0]
    trials, epochs = sweep(*rows, by_user)
    sound = soundness(audit(trials, epochs, manifest()))
    assert stopping(sound, trials, manifest())[0].startswith("2 trials stopped early")


def test_the_best_finisher_is_that_of_the_same_stratum(sweep):
    rows = [completed(3.0, 2.0), stopped(3.1, 2.5)]
    rows += [r | {"sparsity": 0.9} for r in (completed(4.0, 3.0), stopped(4.1, 2.5))]
    assert judged(sweep, *rows).iloc[0]["false_stops"] == 1
    assert judged(sweep, *rows, by=()).iloc[0]["false_stops"] == 0


def test_a_final_value_equal_to_the_best_is_no_false_stop(sweep):
    every = judged(sweep, completed(3.0, 2.0), stopped(3.2, 2.0)).iloc[0]
    assert (every["false_stops"], every["regret"]) == (0, 0.0)


def test_regret_is_the_mean_over_strata_of_what_the_best_audited_trial_gained(sweep):
    rows = [completed(3.0, 2.0), stopped(3.1, 1.7), stopped(3.1, 1.9)]
    rows += [r | {"sparsity": 0.9} for r in (completed(4.0, 3.0), stopped(4.1, 3.5))]
    every = judged(sweep, *rows).iloc[0]
    assert every["strata"] == 2
    assert every["regret"] == pytest.approx((0.3 + 0.0) / 2)
    assert pd.isna(every["regret_low"])


def test_regret_of_three_strata_has_students_lower_bound(sweep):
    gains = (0.3, 0.2, 0.4)
    rows = [
        row | {"sparsity": 0.5 + i / 10}
        for i, gain in enumerate(gains)
        for row in (completed(3.0, 2.0), stopped(3.1, 2.0 - gain))
    ]
    every = judged(sweep, *rows).iloc[0]
    assert every["regret"] == pytest.approx(0.3)
    quantile = 2.9199856  # of t with 2 degrees of freedom at 95 %
    assert every["regret_low"] == pytest.approx(0.3 - quantile * 0.1 / math.sqrt(3))


def test_the_bound_of_a_regret_that_is_mostly_zero_is_zero(sweep):
    rows = [
        row | {"sparsity": sparsity}
        for sparsity, gain in ((0.5, 0.3), (0.6, 0.0), (0.7, 0.0))
        for row in (completed(3.0, 2.0), stopped(3.1, 2.0 - gain))
    ]
    assert judged(sweep, *rows).iloc[0]["regret_low"] == 0.0


def test_the_interval_of_the_share_is_clopper_and_pearsons(sweep):
    every = judged(sweep, completed(3.0, 2.0), *[stopped(3.1, 2.5) for _ in range(10)]).iloc[0]
    # With no hit among n the upper end p solves (1 - p)^n = 2.5 %.
    assert every["false_stop_rate_low"] == 0.0
    assert every["false_stop_rate_high"] == pytest.approx(1 - 0.025 ** (1 / 10))


def test_units_of_a_stratum_without_a_finisher_are_counted_as_unjudged(sweep):
    rows = [completed(3.0, 2.0), stopped(3.1, 2.5), stopped(4.0, 3.0, sparsity=0.9)]
    every = judged(sweep, *rows).iloc[0]
    assert every[["audited", "unjudged", "strata"]].tolist() == [1, 1, 1]


def test_stops_are_counted_at_the_rung_they_happened_at(sweep):
    rows = [completed(3.0, 2.0), stopped(3.1, 1.9), stopped(3.0, 2.2, at=LATER)]
    table = judged(sweep, *rows).set_index("rung")
    assert table.loc[RUNG, ["audited", "false_stops"]].tolist() == [1, 1]
    assert table.loc[LATER, ["audited", "false_stops"]].tolist() == [1, 0]


def test_replicates_are_judged_by_their_mean_as_one_configuration(sweep):
    def at_seeds(row, values, **more):
        key = "val_loss" if row["seen"][RUNG] < 3.05 else "audit_val_loss"
        return [row | {"seed": s, key: v} | more for s, v in enumerate(values)]

    rows = at_seeds(completed(3.0, 2.0), [1.9, 2.1], lr=1e-3)
    rows += at_seeds(stopped(3.1, 2.0), [1.7, 2.2], lr=5e-4)
    together = judged(sweep, *rows, replicates="seed").iloc[0]
    assert together[["audited", "false_stops"]].tolist() == [1, 1]
    assert together["regret"] == pytest.approx(0.05)
    alone = judged(sweep, *rows, by=("sparsity", "seed")).iloc[0]
    assert alone[["audited", "false_stops"]].tolist() == [2, 1]


def test_a_configuration_that_was_not_run_on_at_every_seed_has_no_known_end(sweep):
    rows = [completed(3.0, 2.0, seed=s, lr=1e-3) for s in (0, 1)]
    rows += [stopped(3.1, 1.9, seed=0, lr=5e-4), stopped(3.1, seed=1, lr=5e-4)]
    assert audit(*sweep(*rows), manifest(replicates="seed")).empty


def test_the_value_at_the_rung_is_the_mean_over_replicates_of_that_epoch(sweep):
    rows = [completed(3.0, 2.0, seed=0, lr=1e-3), completed(3.4, 2.0, seed=1, lr=1e-3)]
    rows += [stopped(3.5, 2.5, seed=s, lr=5e-4) for s in (0, 1)]
    found = audit(*sweep(*rows), manifest(replicates="seed"))
    assert found["at_rung"].tolist() == pytest.approx([3.2, 3.5])


def test_a_metric_that_is_maximised_is_turned(sweep):
    trials, epochs = sweep(completed(3.0, 2.0), stopped(3.1, 2.5))
    epochs = epochs.rename(columns={"val_loss": "val_cvar_05"}).assign(
        val_cvar_05=lambda e: -e["val_cvar_05"]
    )
    found = audit(trials, epochs, manifest(metric="val_cvar_05", mode="max"))
    assert found["at_rung"].tolist() == pytest.approx([3.0, 3.1])


def test_an_epoch_that_a_finisher_never_had_leaves_its_value_null(sweep):
    rows = [completed(3.0, 2.0) | {"seen": {4: 3.0}}, stopped(3.1, 2.5)]
    found = audit(*sweep(*rows), manifest())
    assert found["at_rung"].isna().tolist() == [True, False]


def correlated(sweep, *finals):
    """Rank correlation where the order at the rung is 0, 1, 2, .. within every stratum."""
    rows = []
    for i, values in enumerate(finals):
        rows += [completed(0.0, values[0], sparsity=0.1 * i)]
        rows += [stopped(float(k), v, sparsity=0.1 * i) for k, v in enumerate(values) if k]
    return judged(sweep, *rows).iloc[1]


def test_the_correlation_of_one_stratum_with_every_end_is_kendalls(sweep):
    finals = [1.0, 5.0, 2.0, 4.0, 9.0, 4.0]
    row = correlated(sweep, finals)
    assert row["tau"] == pytest.approx(scipy.stats.kendalltau(range(6), finals).statistic)
    assert row["units"] == 6


def test_strata_are_ranked_by_themselves_and_weigh_by_their_pairs(sweep):
    # Upwards among three and downwards among two, on levels that would swamp both.
    row = correlated(sweep, [1.0, 2.0, 3.0], [101.0, 100.0])
    assert row["tau"] == pytest.approx((3 - 1) / 4)
    assert row["units"] == 5


def test_audited_units_stand_for_all_that_were_stopped(sweep):
    rows = [completed(0.0, 2.0), stopped(1.0, 1.0), stopped(2.0, 3.0)]
    rows += [stopped(3.0) for _ in range(4)]
    table = audit(*sweep(*rows), manifest())
    assert table.loc[table["rung"].eq(RUNG), "weight"].tolist() == [1.0, 3.0, 3.0]
    # Pairs (0, 1), (0, 2), (1, 2) count 3, 3 and 9; the first is discordant.
    assert soundness(table).iloc[1]["tau"] == pytest.approx((-3 + 3 + 9) / 15)


def test_few_audited_units_have_a_correlation_without_an_interval(sweep):
    generator = np.random.default_rng(0)
    row = correlated(sweep, *generator.normal(size=(2, 9)).tolist())
    assert not pd.isna(row["tau"])
    assert pd.isna(row["tau_low"])


def test_a_perfect_order_has_no_interval(sweep):
    row = correlated(sweep, [float(i) for i in range(30)])
    assert row["tau"] == pytest.approx(1.0)
    assert pd.isna(row["tau_low"])


def test_the_interval_of_the_correlation_contains_it(sweep):
    generator = np.random.default_rng(1)
    finals = np.arange(25) / 10 + generator.normal(size=(2, 25))
    row = correlated(sweep, *finals.tolist())
    assert -1.0 < row["tau_low"] < row["tau"] < row["tau_high"] < 1.0


@pytest.mark.parametrize(
    "older",
    [
        lambda trials: trials.drop(columns=["audited", "audit_val_loss"]),
        lambda trials: trials.assign(audited=pd.array([None] * len(trials), dtype="boolean")),
        lambda trials: trials.iloc[:0],
    ],
    ids=["no columns", "nulls", "no rows"],
)
def test_tables_without_an_audit_have_no_rows(sweep, older):
    trials, epochs = sweep(completed(3.0, 2.0), stopped(3.1, 2.5))
    assert audit(older(trials), epochs, manifest()).empty


def test_an_audited_trial_that_failed_on_the_way_has_no_known_end(sweep):
    rows = [completed(3.0, 2.0), stopped(3.1, 2.5), stopped(3.1, math.nan)]
    assert judged(sweep, *rows).iloc[0]["audited"] == 1


def test_a_scheduler_whose_axis_or_metric_is_not_in_the_tables_is_named(sweep):
    trials, epochs = sweep(completed(3.0, 2.0), stopped(3.1, 2.5))
    with pytest.raises(ColumnError, match="trials have no column 'config/width', which the sch"):
        audit(trials, epochs, manifest(by=["width"]))
    with pytest.raises(ColumnError, match="epochs have no column 'val_nothing', the scheduler's"):
        audit(trials, epochs, manifest(metric="val_nothing"))


def test_the_sentences_state_counts_intervals_and_regret(sweep):
    trials, epochs = sweep(
        completed(3.0, 2.0), stopped(3.1, 1.9), stopped(3.2, 2.5), stopped(3.3), stopped(3.4)
    )
    said = stopping(soundness(audit(trials, epochs, manifest())), trials, manifest())
    numbers = [re.findall(r"[\d.]*\d", line) for line in said]
    assert numbers == [
        ["4", "2", "10"],
        ["1", "2", "1", "99"],
        ["1", "2", "1", "99"],
        ["0.1000", "1", "3"],
        ["8", "0.50", "40", "250", "5"],
    ]


@pytest.mark.parametrize(
    ("rows", "share", "expected"),
    [
        ([completed(3.0, 2.0)], 0.1, [[10]]),
        (
            [completed(3.0, 2.0), stopped(3.1)],
            0.1,
            [[10, 1]],
        ),
        ([completed(3.0, 2.0), stopped(3.1)], 0.0, []),
        ([completed(3.0, 2.0), stopped(3.1)], None, []),
    ],
)
def test_an_audit_of_nothing_is_one_line_if_it_was_declared(sweep, rows, share, expected):
    trials, _ = sweep(*rows)
    lines = stopping(pd.DataFrame(), trials, manifest(share=share))
    assert [numbers(line) for line in lines] == expected
