import pandas as pd
import pytest

from analysis import ColumnError, load_epochs, schema
from hedgecore.insurance.evaluation.fairness import RATES
from hedgecore.insurance.experiment import XNN


def test_every_short_name_of_an_axis_is_a_column():
    assert {f"config/{name}" for name in (*XNN.search.axes, "seed")} <= schema.tables("xnn")[
        "trials"
    ].keys()


@pytest.mark.parametrize("end", ["", "_low", "_high"])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("group", ["InsuredInfo_6:1", "Ins_Age:0.24..0.4", "Ins_Age:missing"])
def test_a_rate_by_group_is_a_column(rate, end, group):
    column = schema.column(f"{rate}{end}@{group}", "xnn")
    assert column.dtype == "float64"
    assert group.replace(":", " ") in column.meaning


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("explanation_gain", "higher"),
        ("r2_untrained", None),
        ("plain_cross_entropy", "lower"),
        ("val_explanation_gain", "higher"),
        ("selection_rate_ratio", "higher"),
        ("kappa_difference", "lower"),
        ("plain_ece", "lower"),
        ("false_positive_rate@InsuredInfo_6:1", "lower"),
        ("selection_rate@InsuredInfo_6:1", None),
    ],
)
def test_a_derived_metric_knows_which_end_is_better(name, direction):
    assert schema.column(name).direction == direction


def test_a_column_of_two_experiments_has_its_unit_by_experiment():
    assert schema.column("val_loss").unit.startswith("currency")
    assert schema.column("val_loss", "xnn").unit == "nat"


def test_a_column_of_two_experiments_has_one_dtype():
    described = schema.describe()
    assert described.groupby("name")["dtype"].nunique().eq(1).all()


def test_another_experiments_column_is_unknown_where_the_experiment_is_named():
    with pytest.raises(ColumnError, match="unknown column 'cvar_05'"):
        schema.column("cvar_05", "xnn")


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ColumnError, match="unknown experiment 'xn'; did you mean 'xnn'"):
        schema.tables("xn")


def test_the_tables_of_a_sweep_have_no_problems(store):
    storage, trials = store()
    assert schema.check(trials, "trials") == []
    assert schema.check(load_epochs(storage), "epochs") == []


def test_a_frame_is_checked_by_the_experiment_that_it_fits(sweep):
    (problem,) = schema.check(sweep().drop(columns="explanation_gain"), "trials")
    assert problem.startswith("trials:")
    assert "'explanation_gain' is missing" in problem


def test_a_frame_without_columns_is_one_of_tickets():
    assert schema.experiment_of(pd.DataFrame()) == "tickets"
