"""Budget curves with planted answers: a ticket that needs 40 % and a control that needs 80 %."""

import json
import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from printed import lines_with, numbers, section

from analysis import ColumnError, budget_curves
from analysis.__main__ import main
from analysis.contrast import BETTER, NO_INTERVAL, OPEN, WORSE
from analysis.figures import NothingToDraw, panels
from analysis.figures.tickets.boosting import budget_curves as drawn_curves
from analysis.figures.tickets.boosting import budget_plans
from analysis.figures.tickets.panels import kind_look, kind_name
from analysis.tickets.boosting import _AT_INIT, BUDGET, matching, races, rates
from analysis.tickets.boosting_findings import claim, sentences
from analysis.tickets.boosting_leads import enough, judged_races

DENSE = -3.0
BUDGETS = (5, 10, 15, 20, 25)
# Within 5 % of -3 is above -3.15.
NEEDS = {
    "lottery": dict(zip(BUDGETS, (-3.30, -3.05, -3.03, -3.01, -3.00), strict=True)),
    "random_reinit": dict(zip(BUDGETS, (-3.50, -3.40, -3.30, -3.05, -3.01), strict=True)),
    "dense retrained": dict(zip(BUDGETS, (-3.45, -3.25, -3.06, -3.02, -3.00), strict=True)),
}
NOISE = 0.002
LEVEL = 0.05
MANIFEST = {"study": {"dense": {"epochs": 25}, "pruning": {"sparsity": 0.8}}}


def trials(
    table, *, seeds=5, kinds=tuple(NEEDS), pairs=((0.002, 0.01),), budgets=BUDGETS, ahead=0.0
):
    """Every kind on every budget; ``ahead`` is what a mask found at a smaller rate gains."""
    rng = np.random.default_rng(0)
    luck = 0.1 * rng.normal(size=seeds)
    rows, axes = [], []
    for found, trained in pairs:
        for kind in kinds:
            for epochs in budgets:
                # Small noise of mean 0, since results without any have no test.
                noise = NOISE * rng.normal(size=seeds)
                for seed in range(seeds):
                    cvar = NEEDS[kind][epochs] + luck[seed] + noise[seed] - noise.mean()
                    cvar += ahead if found < trained and kind == "lottery" else 0.0
                    sparsity = 0.0 if kind == "dense retrained" else 0.8
                    rows.append(
                        {
                            "sparsity": sparsity,
                            "lr": trained,
                            "seed": seed,
                            "cvar_05": cvar,
                            "dense_cvar_05": DENSE + luck[seed],
                        }
                    )
                    axes.append((found, epochs, kind if sparsity else None))
    frame = table(*rows).drop(columns=["config/epsilon"])
    names = ["config/dense.lr", "config/training.epochs", "config/ticket"]
    frame[names] = pd.DataFrame(axes, columns=names)
    return frame.astype({"config/training.epochs": "Int64", "config/ticket": "string"})


@cache
def planted(table, tolerance=0.05, **given):
    """The curves of :func:`trials`, made once."""
    return budget_curves(trials(table, **given), MANIFEST, tolerance=tolerance)


def row(curves, kind, epochs=5, **values):
    own = matching(curves, {"kind": kind, "training.epochs": epochs, **values})
    assert len(own) == 1
    return own.iloc[0]


def lines(curves, *, tolerance=0.05):
    return sentences(curves, tolerance=tolerance)


def test_every_configuration_is_a_row_of_its_share_and_its_epochs(table):
    curves = planted(table)
    assert len(curves) == 3 * len(BUDGETS)
    assert set(curves["seeds"]) == {5}
    assert row(curves, "lottery", 10)["share"] == pytest.approx(0.4)
    assert row(curves, "lottery", 10)["dense_epochs"] == 25.0


def test_luck_shared_with_the_dense_network_leaves_the_difference_exact(table):
    found = row(planted(table), "lottery", 5)
    ends = found[["less_dense", "less_dense_low", "less_dense_high"]].astype(float)
    assert ends.to_list() == pytest.approx([-0.30] * 3, abs=5 * NOISE)
    assert found["cvar_05_low"] < found["cvar_05"] < found["cvar_05_high"]


def test_the_epochs_behind_the_mask_count_and_the_dense_network_has_no_mask(table):
    curves = planted(table)
    totals = {kind: row(curves, kind, 10)["total_epochs"] for kind in NEEDS}
    assert totals == {"lottery": 35.0, "random_reinit": 35.0, "dense retrained": 10.0}


def test_every_round_of_an_iterative_schedule_trains_a_network(table):
    pruning = {"schedule": "iterative", "rounds": 4}
    curves = budget_curves(
        trials(table, budgets=(5, 25), seeds=1),
        {"study": {"dense": {"epochs": 25}, "pruning": pruning}},
    )
    assert row(curves, "lottery", 5)["total_epochs"] == 5 + 4 * 25


def test_a_mask_that_is_found_on_theta_0_costs_no_epochs(table):
    study = {"dense": {"epochs": 25}, "pruning": {"criterion": "snip"}}
    curves = budget_curves(trials(table, budgets=(5, 25), seeds=1), {"study": study})
    assert row(curves, "lottery", 5)["total_epochs"] == 5.0


def test_the_criteria_without_training_are_those_of_the_core():
    from hedgecore.pruning.criteria import CRITERIA

    assert set(_AT_INIT) == {name for name, criterion in CRITERIA.items() if criterion.at_init}


def test_above_zero_is_ahead_of_the_rival(table):
    curves = planted(table)
    assert row(curves, "random_reinit", 10)["less_lottery"] == pytest.approx(-0.35)
    assert row(curves, "lottery", 10)["less_retrained_as_long"] == pytest.approx(0.20)
    assert row(curves, "lottery", 10)["less_retrained"] == pytest.approx(-0.05)
    assert row(curves, "lottery", 25)["less_dense"] == pytest.approx(0.0)


def test_nothing_is_a_rival_of_itself(table):
    curves = planted(table)
    assert curves.loc[curves["kind"].eq("lottery"), "less_lottery"].isna().all()
    retrained = curves["kind"].eq("dense retrained")
    assert curves.loc[retrained, ["less_lottery", "less_retrained_as_long"]].isna().all(axis=None)


def test_a_mask_is_compared_with_one_found_at_the_rate_of_training(table):
    pairs = ((0.002, 0.01), (0.01, 0.01))
    curves = planted(table, budgets=(5, 25), pairs=pairs, ahead=0.25)
    assert row(curves, "lottery", 5, **{"dense.lr": 0.002})["less_same_rate"] == pytest.approx(
        0.25
    )
    assert pd.isna(row(curves, "lottery", 5, **{"dense.lr": 0.01})["less_same_rate"])


@pytest.mark.parametrize(("seeds", "claimed"), [(1, False), (2, False), (3, True)])
def test_intervals_are_claimed_from_three_seeds_on(table, seeds, claimed):
    found = row(planted(table, budgets=(5, 25), seeds=seeds), "lottery", 5)
    assert pd.notna(found["less_dense_low"]) == claimed
    assert found["less_dense"] == pytest.approx(-0.30)


def test_a_trial_without_result_leaves_the_means_and_the_row_is_not_whole(table):
    frame = trials(table)
    frame.loc[0, ["status", "cvar_05"]] = ["running", None]
    frame.loc[6, "cvar_05"] = float("nan")
    curves = budget_curves(frame, MANIFEST)
    for epochs in (5, 10):
        found = row(curves, "lottery", epochs)
        assert (found["seeds"], found["whole"]) == (4, False)
        assert found["less_dense"] == pytest.approx(NEEDS["lottery"][epochs] - DENSE, abs=NOISE)
        assert math.isnan(found["less_dense_low"])
        assert math.isnan(found["less_dense_p"])
    assert row(curves, "random_reinit", 5)["less_lottery"] == pytest.approx(-0.20, abs=NOISE)
    assert row(curves, "lottery", 15)["whole"]


def test_a_budget_of_which_nothing_has_completed_has_a_row_and_no_place_in_the_race(table):
    frame = trials(table, seeds=1)
    frame["status"] = frame["status"].where(frame["config/training.epochs"].ne(5), "running")
    curves = budget_curves(frame, MANIFEST)
    assert row(curves, "lottery", 5)["seeds"] == 0
    ((_, field),) = races(curves)
    assert field["lottery"]["training.epochs"].tolist() == list(BUDGETS[1:])


def test_without_a_manifest_no_share_is_known(table):
    curves = budget_curves(trials(table, seeds=1))
    assert curves[["dense_epochs", "share", "total_epochs"]].isna().all(axis=None)
    assert row(curves, "lottery", 10)["less_dense"] == pytest.approx(-0.05)


def test_dense_networks_that_follow_the_budget_are_judged_by_the_longest(table):
    frame = trials(table, seeds=1)
    short = frame["config/training.epochs"].lt(25)
    frame.loc[short, "dense_cvar_05"] -= 7.0
    curves = budget_curves(frame, {"study": {"dense": {"epochs": None}}})
    found = row(curves, "lottery", 10)
    assert found[["share", "total_epochs"]].tolist() == pytest.approx([0.4, 20.0])
    assert found["less_dense"] == pytest.approx(-0.05)


def test_a_space_without_seeds_has_one_of_each(table):
    frame = trials(table, budgets=(5, 25), seeds=1)
    frame["config/seed"] = pd.NA
    found = row(budget_curves(frame, MANIFEST), "random_reinit", 5)
    assert (found["seeds"], found["whole"]) == (1, True)
    assert found["less_lottery"] == pytest.approx(-0.20)


@pytest.mark.parametrize("axis", [["config/training.epochs"], []])
def test_budgets_that_were_not_swept_give_no_rows(table, axis):
    frame = trials(table)
    frame = frame[frame["config/training.epochs"].eq(25)].drop(columns=axis)
    curves = budget_curves(frame, MANIFEST)
    assert curves.empty
    assert lines(curves) == []
    assert budget_plans(curves) == []


def test_a_sweep_without_the_metric_is_refused(table):
    with pytest.raises(ColumnError, match="no column 'dense_cvar_05', which budget curves needs"):
        budget_curves(trials(table).drop(columns="dense_cvar_05"))


def test_the_dense_network_runs_in_the_race_of_every_sparsity(table):
    frame = trials(table, budgets=(5, 25), seeds=1)
    more = frame[frame["config/sparsity"].gt(0)].assign(**{"config/sparsity": 0.9})
    found = list(races(budget_curves(pd.concat([frame, more], ignore_index=True), MANIFEST)))
    assert [values["sparsity"] for values, _ in found] == [0.8, 0.9]
    assert all(list(field) == list(NEEDS) for _, field in found)


def test_without_tickets_the_dense_network_runs_alone(table):
    ((_, field),) = races(planted(table, kinds=("dense retrained",)))
    assert list(field) == ["dense retrained"]


def test_without_an_axis_of_sparsity_the_manifest_tells_tickets_from_the_dense_network(table):
    frame = trials(table, budgets=(5, 25), seeds=1, kinds=("lottery",)).drop(
        columns=["config/sparsity", "config/ticket"]
    )
    assert set(budget_curves(frame, MANIFEST)["kind"]) == {"lottery"}
    dense = {"study": {"pruning": {"sparsity": 0.0}}}
    assert set(budget_curves(frame, dense)["kind"]) == {"dense retrained"}


def test_a_race_is_named_by_what_varies():
    assert numbers(rates({"dense.lr": 0.002, "lr": 0.01})) == [0.002, 0.01]
    named = rates({"lr": 0.01, "sparsity": 0.8})
    assert numbers(named) == [80, 0.01]
    assert "lr 0.01" in named
    assert rates({}) == ""


@pytest.mark.parametrize(
    ("kind", "budget"), [("lottery", 10), ("dense retrained", 15), ("random_reinit", 20)]
)
def test_the_planted_budget_is_found(table, kind, budget):
    ((_, field),) = races(planted(table))
    assert enough(field[kind], LEVEL)["training.epochs"] == budget


def test_no_budget_below_a_failure_is_enough(table):
    frame = trials(table)
    frame.loc[frame["config/training.epochs"].eq(15), "cvar_05"] -= 1.0
    ((_, field),) = races(budget_curves(frame, MANIFEST))
    assert enough(field["lottery"], LEVEL)["training.epochs"] == 20


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_show_no_budget_to_be_enough(table, seeds):
    ((_, field),) = races(planted(table, seeds=seeds))
    assert enough(field["lottery"], LEVEL) is None


def test_the_lower_end_of_the_interval_decides_not_the_mean(table):
    frame = trials(table, kinds=("lottery",))
    one = frame["config/training.epochs"].eq(10) & frame["config/seed"].eq(0)
    frame.loc[one, "cvar_05"] -= 0.3  # the mean falls to 0.11 below, within 0.15
    ((_, field),) = races(budget_curves(frame, MANIFEST))
    assert field["lottery"].iloc[1]["less_dense"] > -0.15
    assert enough(field["lottery"], LEVEL)["training.epochs"] == 15


def test_a_budget_that_lacks_a_seed_is_not_shown_to_be_enough(table):
    frame = trials(table, kinds=("lottery",))
    frame.loc[5, "status"] = "failed"
    ((_, field),) = races(budget_curves(frame, MANIFEST))
    assert enough(field["lottery"], LEVEL)["training.epochs"] == 15


def test_a_weak_dense_network_does_not_hide_that_of_the_rates_of_the_ticket(table):
    frame = trials(table)
    frame["dense_cvar_05"] -= 1.0
    ((_, field),) = races(budget_curves(frame, MANIFEST))
    assert field["lottery"]["less_dense"].gt(0.0).all()
    assert enough(field["lottery"], LEVEL)["training.epochs"] == 10


def test_a_ticket_that_never_gets_there_has_no_budget(table):
    frame = trials(table)
    frame.loc[frame["config/ticket"].eq("lottery").fillna(False), "cvar_05"] -= 1.0
    ((_, field),) = races(budget_curves(frame, MANIFEST))
    assert enough(field["lottery"], LEVEL) is None


def test_the_longest_retraining_is_enough_by_identity(table):
    ((_, field),) = races(planted(table))
    assert field["dense retrained"].iloc[-1]["less_retrained_p_inferior"] == 0.0


def test_a_race_has_its_budgets_with_the_epochs_of_the_mask_and_the_leads_at_the_start(table):
    curves = planted(table)
    (race,) = contests = judged_races(curves)
    assert claim(contests) == ("boosting", [rates(race.values)])
    columns = [BUDGET, "share", "total_epochs"]
    needs = [tuple(enough(of, LEVEL)[columns]) for of in race.field.values()]
    assert list(race.field) == ["lottery", "random_reinit", "dense retrained"]
    assert needs == [(10, 0.4, 35), (20, 0.8, 45), (15, 0.6, 15)]
    ahead = [(o.rival, o.verdict, round(o.mean, 3)) for o in race.leads]
    assert ahead == [("random reinit", BETTER, 0.2), ("dense retrained", BETTER, 0.15)]
    headline, line, rule = lines(curves)
    assert numbers(headline) == [0.002, 0.01]
    epochs = [10, 40, 35, 20, 80, 45, 15, 60]
    assert numbers(line)[:11] == [0.002, 0.01, *epochs, 5]
    assert numbers(rule)[0] == 5, "seeds"


@pytest.mark.parametrize(
    ("ahead", "claimed", "verdict"),
    [(0.1, "boosting", BETTER), (0.0, "not shown", OPEN), (-0.5, "behind", WORSE)],
)
def test_a_small_rate_must_beat_the_mask_found_at_the_large_one(table, ahead, claimed, verdict):
    pairs = ((0.002, 0.01), (0.01, 0.01))
    curves = planted(table, budgets=(5, 25), pairs=pairs, ahead=ahead, tolerance=0.0)
    rising, level = contests = judged_races(curves)
    assert claim(contests) == (claimed, [rates(rising.values)] if ahead > 0 else [])
    (mask,) = (lead for lead in rising.leads if lead.rival == "the mask found at 0.01")
    assert (mask.verdict, round(mask.mean, 3)) == (verdict, ahead)
    assert not any("mask" in lead.rival for lead in level.leads)
    (line,) = (line for line in lines(curves) if line.startswith("mask found at lr 0.002"))
    assert str(mask) in line


def test_masks_found_at_the_rate_of_training_are_no_boosting_tickets(table):
    curves = planted(table, budgets=(5, 25), pairs=((0.01, 0.01),))
    assert claim(judged_races(curves)) is None
    assert not any("oosting" in line for line in lines(curves))


def test_two_seeds_claim_nothing(table):
    curves = planted(table, seeds=2)
    assert claim(judged_races(curves)) == ("no interval", [NO_INTERVAL])
    assert NO_INTERVAL in lines(curves)[0]


def test_a_seed_without_a_result_leaves_the_leads_not_shown(table):
    frame = trials(table)
    frame.loc[0, ["status", "cvar_05"]] = ["stopped", None]
    (race,) = contests = judged_races(budget_curves(frame, MANIFEST))
    assert {lead.verdict for lead in race.leads} == {OPEN}
    name, (reason,) = claim(contests)
    assert name == "no interval"
    assert reason != NO_INTERVAL


def test_a_dense_network_that_a_formula_beats_is_not_judged_against(table):
    frame = trials(table)
    manifest = MANIFEST | {
        "preparations": {
            f"p{seed}": {
                "data_sha256": f"{seed:064x}",
                "baselines": {"minimum_variance": {"cvar_05": dense + 1.0 + 0.001 * seed}},
            }
            for seed, dense in frame.groupby("config/seed")["dense_cvar_05"].first().items()
        }
    }
    curves = budget_curves(frame, manifest)
    assert curves["not_judged"].eq("minimum-variance delta").all()
    assert curves[["less_dense_p", "less_retrained_as_long_p"]].isna().all(axis=None)
    contests = judged_races(curves)
    assert claim(contests)[0] == "not judged"
    assert all(enough(curve, LEVEL) is None for curve in contests[0].field.values())


def test_without_sparsity_0_the_dense_network_is_no_rival_on_the_way(table):
    curves = planted(table, kinds=("lottery", "random_reinit"))
    assert claim(judged_races(curves)) == ("no dense network", [])
    said = lines(curves)
    assert "space.sparsity" in said[0]
    assert not any("retrained" in line for line in said)
    assert numbers(said[1])[2] == 10


def test_without_a_lottery_ticket_only_the_budgets_are_given(table):
    curves = planted(table, kinds=("random_reinit",))
    assert claim(judged_races(curves)) is None
    needs, _ = lines(curves)
    assert numbers(needs)[-3:] == [20, 80, 45]


def figure(curves):
    return panels(lambda f: drawn_curves(curves, f), size=(9.0, 5.0))


def test_a_panel_holds_a_line_a_kind_and_the_dense_network_dashed(table):
    curves = planted(table)
    (ax,) = figure(curves).axes
    solid = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert [line.get_label() for line in solid] == list(map(kind_name, NEEDS))
    ((_, field),) = races(curves)
    for line, curve in zip(solid, field.values(), strict=True):
        assert line.get_ydata() == pytest.approx(curve["cvar_05"].to_list())
        assert line.get_xdata() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0], abs=0.02)
    (dashed,) = (line for line in ax.get_lines() if line.get_linestyle() == "--")
    assert dashed.get_ydata()[0] == pytest.approx(curves["dense_cvar_05"].mean())
    (bars,) = ax.containers[0].lines[2]
    ends = field["lottery"][["cvar_05_low", "cvar_05_high"]].iloc[0]
    assert bars.get_segments()[0][:, 1] == pytest.approx(ends.to_list())


def test_a_network_has_the_colour_and_marker_of_the_figure_of_controls(table):
    (ax,) = figure(planted(table)).axes
    solid = [line for line in ax.get_lines() if line.get_linestyle() == "-"]
    assert [(line.get_color(), line.get_marker()) for line in solid] == list(map(kind_look, NEEDS))


def test_pairs_of_rates_share_one_axis_of_cvar_and_unknown_shares_are_epochs(table):
    pairs = ((0.002, 0.002), (0.002, 0.01), (0.01, 0.01))
    drawn = figure(budget_curves(trials(table, budgets=(5, 25), seeds=1, pairs=pairs)))
    assert [ax.get_title(loc="left") for ax in drawn.axes] == [
        f"mask found at learning rate {found},\ntrained at {trained}" for found, trained in pairs
    ]
    assert len({ax.get_ylim() for ax in drawn.axes}) == 1
    assert {ax.get_xlabel() for ax in drawn.axes} == {"epochs"}
    assert not any(ax.containers for ax in drawn.axes)
    assert NO_INTERVAL in drawn.get_supxlabel()


def test_more_than_six_races_are_counted(table):
    pairs = tuple((0.001 * i, 0.01) for i in range(1, 9))
    drawn = figure(planted(table, budgets=(5, 25), seeds=1, kinds=("lottery",), pairs=pairs))
    assert len(drawn.axes) == 6
    (line,) = lines_with(drawn.get_supxlabel().replace("\n", " "), "budget_curves.csv")
    assert "2 more" in line


def test_rows_of_two_problems_are_not_drawn_together(table):
    curves = planted(table, seeds=1, kinds=("lottery",), budgets=(5, 25))
    both = pd.concat([curves.assign(**{"market.xi": xi}) for xi in (0.1, 0.5)], ignore_index=True)
    first = ["market.xi", *curves.columns]
    with pytest.raises(NothingToDraw, match="trials of 2 problems"):
        figure(both[first])


def test_a_sweep_without_a_result_draws_nothing(table):
    frame = trials(table, budgets=(5, 25), seeds=1).assign(status="running")
    with pytest.raises(NothingToDraw, match="no trial of any budget has completed"):
        figure(budget_curves(frame, MANIFEST))


@pytest.mark.usefixtures("drawn_small")
def test_the_report_has_the_section_the_table_and_the_figure(table, write, tmp_path):
    frame = trials(table, budgets=(5, 25), seeds=1, kinds=("lottery", "random_reinit"))
    storage = write(tmp_path, frame)
    (storage / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    said = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False).output
    assert section(said, "Boosting tickets") == lines(budget_curves(frame, MANIFEST))
    folder = storage / "report"
    assert len(pd.read_csv(folder / "budget_curves.csv")) == 4
    assert (folder / "figures" / "budget_curves.png").stat().st_size > 0
