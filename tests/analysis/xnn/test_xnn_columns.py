import pandas as pd
import pytest

from analysis import ColumnError, load_epochs, schema
from analysis.columns import LATER
from hedgecore.insurance.evaluation.fairness import RATES
from hedgecore.insurance.evaluation.faithfulness import FAITHFULNESS
from hedgecore.insurance.evaluation.node_regression import EXPLANATION
from hedgecore.insurance.evaluation.scores import SCORES
from hedgecore.insurance.experiment import XNN

MEASURED = {**SCORES, **EXPLANATION, **FAITHFULNESS}
DTYPES = {int: "Int64", float: "float64", str: "string", bool: "boolean"}


def dtypes(table):
    return {name: column.dtype for name, column in schema.tables("xnn")[table].items()}


def test_the_dictionary_holds_every_column_of_trials_that_the_experiment_writes():
    written = {n: DTYPES[t] for n, t in {**XNN.trial_columns, **XNN.after}.items()}
    known = {n: d for n, d in dtypes("trials").items() if not n.startswith("config/")}
    head = {"trial_id", "index", "status", "stopped_at", "reason", "error"}
    head |= {"audited", "audit_val_loss", *LATER}
    written = {n: d for n, d in written.items() if n not in head}
    assert {n: d for n, d in known.items() if n not in head} == written
    assert head <= known.keys()


def test_the_dictionary_holds_every_column_of_epochs_that_the_experiment_writes():
    written = {n: DTYPES[t] for n, t in XNN.epoch_columns.items()}
    known = {n: d for n, d in dtypes("epochs").items() if not n.startswith("config/")}
    assert known == {"trial_id": "string", "epoch": "Int64", **written}


def test_every_short_name_of_an_axis_is_a_column():
    assert {f"config/{name}" for name in (*XNN.search.axes, "seed")} <= dtypes("trials").keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("added_loss", "what the method added to the loss, mean of rows"),
        ("val_explanation_gain", "explanation_gain on validation rows"),
        ("cluster_stability", "null where they were not resampled"),
        ("groups", "below 2 where no two have 30 rows"),
    ],
)
def test_a_column_says_what_it_is_of(name, said):
    assert schema.column(name, "xnn").meaning.endswith(said)


@pytest.mark.parametrize("name", MEASURED)
def test_a_metric_has_the_unit_and_the_better_end_that_its_measure_gives_it(name):
    column, metric = schema.column(name, "xnn"), MEASURED[name]
    assert (column.unit, column.direction) == (metric.unit, metric.direction)


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
    problems = schema.check(sweep().drop(columns="explanation_gain"), "trials")
    assert problems == ["trials: column 'explanation_gain' is missing"]


def test_a_frame_without_columns_is_one_of_tickets():
    assert schema.experiment_of(pd.DataFrame()) == "tickets"
