"""Claims on the X-NN: the cell that they are on, their controls, and what leaves them open."""

import numpy as np
import pandas as pd
import pytest

from analysis import claims
from analysis.claims import sentences
from analysis.xnn import cells, choose
from analysis.xnn.verdicts import CONTROLS
from analysis.xnn.wording import NOT_FINITE

MANIFEST = {"experiment": "xnn", "study": {"explanation": {"method": "alignment"}}}


def rows_of(trials, manifest=MANIFEST):
    page = claims(trials, manifest)
    return {row["claim"]: row for row in page.to_dict("records") if row["verdict"] != "not asked"}


@pytest.fixture
def trials(sweep):
    return sweep(weights=(0.0, 0.1, 0.3), clusters=(3, 6), seeds=range(10))


def prepared(trials, kappas=(0.5, 0.4), *, error=0.01, without=()):
    """Preparations with the ``error`` of kappa over rows, except those of seeds ``without``."""
    about = {}
    for seed, sha in trials.groupby("config/seed")["data_sha256"].first().items():
        plain, boosted = kappas
        trees = {"kappa": None if boosted is None else boosted + 1e-3 * (seed % 3)}
        trees |= {} if seed in without else {"kappa_minus_plain_se": error}
        baselines = {"plain": {"kappa": plain}, "boosted_offsets": trees}
        about[f"p{seed}"] = {"seed": seed, "data_sha256": sha, "baselines": baselines}
    return {"preparations": about}


def test_losses_that_are_not_finite_are_not_called_trials_that_have_not_completed(trials):
    trials["val_loss"] = np.inf
    rows = rows_of(trials)
    for name in ("cost", "gain", "alignment"):
        assert (rows[name]["verdict"], rows[name]["reason"]) == ("undecided", NOT_FINITE)
    trials["status"] = "failed"
    assert NOT_FINITE not in [row["reason"] for row in rows_of(trials).values()]


def test_the_gain_is_that_of_the_cell_that_the_report_chooses(trials):
    chosen = choose(cells(trials)).cell
    row = rows_of(trials)["gain"]
    assert row["effect"] == pytest.approx(chosen["explanation_gain"])
    assert f"{chosen['adj_weight']:g}" in row["subject"]


@pytest.mark.parametrize("absent", [CONTROLS[:1], CONTROLS])
def test_a_gain_without_one_of_its_controls_is_undecided_and_names_it(trials, absent):
    for name in ("gain", "alignment"):
        row = rows_of(trials.drop(columns=list(absent)))[name]
        assert row["verdict"] == "undecided"
        assert absent[0].removeprefix("r2_").replace("_", " ") in row["controls_missing"]


def test_networks_are_judged_with_the_error_over_test_rows(trials):
    for error, verdict in ((0.01, "supported"), (0.1, "undecided")):
        row = rows_of(trials, MANIFEST | prepared(trials, error=error))["networks"]
        assert row["effect"] == pytest.approx(0.1, abs=2e-3)
        assert (row["verdict"], row["seeds"]) == (verdict, 10)
        # Ten seeds do not average out the error of the rows that they share.
        assert (row["high"] - row["low"]) / 2 == pytest.approx(1.96 * error, rel=0.05)


@pytest.mark.parametrize("without", [range(10), (3,)])
def test_networks_are_not_judged_where_the_error_over_test_rows_is_missing(trials, without):
    row = rows_of(trials, MANIFEST | prepared(trials, without=without))["networks"]
    assert (row["verdict"], row["seeds"]) == ("undecided", 10)


@pytest.mark.parametrize("kappas", [(None, 0.4), ("0.5", 0.4), (0.5, None)])
def test_a_kappa_that_is_no_number_is_a_seed_without_a_result(trials, kappas):
    row = rows_of(trials, MANIFEST | prepared(trials, kappas))["networks"]
    assert (row["verdict"], row["seeds"]) == ("undecided", 0)


def test_a_seed_that_is_null_is_seed_0(trials):
    seeds = trials["config/seed"].astype("Int64").mask(trials["config/seed"].eq(0))
    page = claims(trials.assign(**{"config/seed": seeds}), MANIFEST)
    pd.testing.assert_frame_equal(page, claims(trials, MANIFEST))


@pytest.mark.parametrize("status", ["failed", "stopped", "running"])
def test_claims_on_trials_that_all_ended_are_undecided(trials, status):
    lost = trials.assign(status=pd.Series(status, trials.index, dtype=trials["status"].dtype))
    for name, row in rows_of(lost).items():
        assert (row["verdict"], row["seeds"]) == ("undecided", 0), name
    assert "nan" not in "\n".join(sentences(claims(lost, MANIFEST)))


def test_an_error_over_rows_that_some_seeds_lack_leaves_no_verdict(trials):
    errors = trials["explanation_gain_se"].astype("float64").mask(trials["config/seed"].eq(3))
    for missing in (np.nan, np.inf):
        frame = trials.assign(explanation_gain_se=errors.fillna(missing))
        table = cells(frame)
        assert table["explanation_gain_low"].isna().all()
        assert not table["explanation_gain_verdict"].isin(("better", "worse")).any()
        assert rows_of(frame)["gain"]["verdict"] == "undecided"
