"""The echo of a study in the units of its user, and warnings of probable slips."""

import pytest
from printed import numbers
from spaces import TINY, TINY_XNN

import search_spaces
import sweeps
from sweeps.__main__ import cli
from sweeps.planning.summary import study_lines, unusual


def plan_of(tmp_path, text=TINY, **overrides):
    (tmp_path / "tiny.yaml").write_text(text)
    return sweeps.plan(tmp_path / "tiny.yaml", overrides=overrides)


def test_a_hedging_study_is_echoed_in_days_basis_points_and_volatility(tmp_path):
    plan = plan_of(
        tmp_path,
        **{"study.market.v0": 0.04, "study.market.steps": 12, "study.market.spot": 90},
    )
    option, market, training = study_lines(plan)
    # Strike, spot, days, dates, basis points.
    assert numbers(option) == [100, 90, 30, 12, 10]
    assert numbers(market)[:2] == [0.04, 20]
    assert numbers(training.replace("8-8", "")) == [512, 32, 3, 5]


@pytest.mark.parametrize(
    ("years", "text"),
    [(0.0833, "30 days"), (1.0, "365 days"), (5.0, "5 years"), (2 / 365, "2 days"),
     (0.5 / 365, "12 hours")],
)  # fmt: skip
def test_a_maturity_is_in_the_unit_that_fits(tmp_path, years, text):
    plan = plan_of(tmp_path, **{"study.market.maturity": years})
    assert f", {text}, " in study_lines(plan)[0]


def test_an_xnn_study_is_echoed_with_its_rows_classes_and_network(tmp_path):
    data, training, nodes = study_lines(plan_of(tmp_path, TINY_XNN))
    assert numbers(data)[:2] == [400, 8]
    assert sum(numbers(data)[2:]) == 400
    assert "8-6" in training
    assert nodes.count("2 or 3 clusters")


def test_a_phrase_that_an_axis_changes_has_all_its_forms(tmp_path):
    overrides = {
        "space.option.strike": {"grid": [90, 110]},
        "space.market.rate": {"grid": [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]},
        "space.network.hidden": {"grid": [[8], [4, 4]]},
    }
    option, market, training = study_lines(plan_of(tmp_path, **overrides))
    assert "a call at 90 or 110 on a stock at 100" in option
    assert "rate 1 .. 6 %" in market
    assert "network 8 or 4-4," in training


def test_a_search_that_learns_is_echoed_at_the_ends_of_its_axes(tmp_path):
    overrides = {
        "space.training.epochs": {"randint": [2, 5]},
        "study.dense.epochs": 2,
        "search": {"algorithm": "tpe", "num_samples": 4},
    }
    assert "at most 2 or 4 epochs" in study_lines(plan_of(tmp_path, **overrides))[2]


@pytest.mark.parametrize("name", search_spaces.shipped())
def test_no_setting_of_a_shipped_space_is_unusual(name):
    plan = sweeps.plan(name, overrides={"space.seed.grid": [0]})
    assert unusual(plan) == []
    assert len(study_lines(plan)) == 3


@pytest.mark.parametrize(
    ("key", "value", "number"),
    [
        ("study.market.maturity", 30, 0.0822),
        ("study.market.maturity", 1e-4, 52.6),
        ("study.market.maturity", 9, 3285),
        ("study.cost.proportional", 10, 0.001),
        ("study.cost.proportional", 0.1, 0.001),
        ("study.market.rate", 2, 0.02),
        ("study.market.rate", -0.2, -20),
        ("study.market.v0", 20, 0.04),
        ("study.market.v_bar", 1.5, 122),
        ("study.market.xi", 50, 0.5),
        ("study.market.kappa", 100, 3.6),
        ("study.option.strike", 1000, 10),
        ("study.option.strike", 1, 0.01),
        ("study.risk.tail", 0.95, 0.05),
        ("study.dense.lr", 0.5, 0.5),
        ("study.training.warmup_lr", 0.5, 0.5),
        ("study.network.position_limit", 0.1, 0.1),
        ("study.evaluation.observation_pgd", [0.5, 3], 3),
        ("study.evaluation.path_pgd", [20], 20),
        ("study.evaluation.transfer", [20], 20),
        ("space.lr.grid", [1e-2, 0.5, 0.7], 0.5),
        ("space.epsilon.grid", [0.0, 20], 20),
        ("space.market.v0.grid", [0.02, 4], 4),
    ],
)  # fmt: skip
def test_a_probable_slip_is_one_line_with_its_place_and_what_may_be_meant(
    tmp_path, key, value, number
):
    overrides = {key: value}
    if value == 9:  # years between a few dates
        overrides["study.market.steps"] = 6
    lines = unusual(plan_of(tmp_path, **overrides))
    place = "overrides study.market.steps" if value == 9 else f"overrides {key}"
    (line,) = [line for line in lines if line.split(": ")[0].split()[-1] in place]
    assert number in numbers(line.rpartition(": ")[2])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("study.training.lr", 0.5),
        ("study.baseline.lr", 0.5),
        ("space.adj_weight.grid", [0.0, 50]),
        ("study.data.rare", 0.2),
    ],
)
def test_a_probable_slip_of_an_xnn_is_one_line(tmp_path, key, value):
    (line,) = unusual(plan_of(tmp_path, TINY_XNN, **{key: value}))
    assert f" {key.removesuffix('.grid')}: " in line


def test_a_slip_is_at_its_line_of_the_file(tmp_path):
    text = TINY.replace("steps: 6}", "steps: 6,\n    maturity: 30}")
    (line,) = unusual(plan_of(tmp_path, text))
    assert " tiny.yaml:9 study.market.maturity: " in line


def test_plan_prints_the_study_and_its_slips(tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(TINY)
    arguments = ["plan", str(tmp_path / "tiny.yaml"), "--no-probe", "--set"]
    cli.main([*arguments, "study.market.maturity=30"], standalone_mode=False)
    output = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("option ") for line in output) == 1
    assert sum(line.startswith("unusual ") for line in output) == 1
