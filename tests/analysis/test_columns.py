import copy
import json

import column_dictionary
import pandas as pd
import pytest

from analysis import ColumnError, schema


def test_the_dictionary_is_the_one_that_the_definitions_give():
    # Else: make columns.
    assert column_dictionary.FILE.read_text(encoding="utf-8") == column_dictionary.text()


def test_the_dictionary_describes_every_column_once_a_table():
    described = schema.describe()
    held = [columns for of in schema.EXPERIMENTS.values() for columns in of.values()]
    assert len(described) == sum(map(len, held))
    assert not described.duplicated(["experiment", "table", "name"]).any()
    assert (described["meaning"].str.len() > 0).all()


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("cvar_05", "higher"),
        ("var_05", "higher"),
        ("val_loss", "lower"),
        ("epochs_to_95pct", "lower"),
        ("cost_paid", "lower"),
        ("cvar_05_se", "lower"),
    ],
)
def test_every_metric_knows_which_end_is_better(name, direction):
    assert schema.column(name).direction == direction


def test_the_best_of_negative_cvars_is_the_largest_and_not_the_minimum():
    frame = pd.DataFrame({"cvar_05": [-3.1, -2.9, -5.0]}, index=["a", "b", "c"])
    assert schema.best(frame, "cvar_05") == "b"


def test_the_best_validation_risk_is_the_smallest():
    frame = pd.DataFrame({"val_loss": [3.1, None, 2.9]})
    assert schema.best(frame, "val_loss") == 2


def test_a_column_of_nulls_has_no_best_row():
    assert schema.best(pd.DataFrame({"val_loss": [None, None]}), "val_loss") is None


def test_a_column_without_a_better_end_cannot_be_optimised():
    with pytest.raises(ColumnError, match="'pnl_skewness' has no better end"):
        schema.best(pd.DataFrame({"pnl_skewness": [0.1]}), "pnl_skewness")


def test_an_attacked_metric_inherits_unit_and_direction():
    attacked = schema.column("attacked_cvar_05@path_pgd:0.1")
    clean = schema.column("cvar_05")
    assert (attacked.unit, attacked.direction, attacked.dtype) == (
        clean.unit,
        clean.direction,
        clean.dtype,
    )
    assert all(part in attacked.meaning for part in ("pgd", "path threat", "epsilon 0.1"))


def test_an_attacked_metric_keeps_its_tail():
    for name in ("attacked_cvar_50@path_pgd:0.1", "cvar_50_worst@shift:0.1"):
        assert schema.column(name).meaning.startswith(schema.column("cvar_50").meaning)


def test_an_attacked_metric_of_validation_paths_is_one_of_validation():
    attacked, test = (
        schema.column(f"{prefix}attacked_cvar_05@path_pgd:0.1") for prefix in ("val_", "")
    )
    assert attacked.direction == "higher"
    assert ["validation" in of.meaning for of in (attacked, test)] == [True, False]


def test_the_threat_of_an_attacked_metric_may_hold_underscores():
    meaning = schema.column("attacked_cvar_05@price_path_wbpgd:1e-3").meaning
    assert all(part in meaning for part in (" wbpgd", "(price_path threat", "epsilon 1e-3"))


def test_any_dotted_study_path_is_a_parameter():
    assert schema.column("config/study.training.batch_size").dtype == "any"


@pytest.mark.parametrize(
    "name", ["cvar_5", "attacked_nonsense@path_pgd:0.1", "attacked_val_loss@path_pgd:0.1"]
)
def test_an_unknown_column_is_refused_with_the_cure(name):
    with pytest.raises(ColumnError, match=r"unknown column .*describe\(\) lists all"):
        schema.column(name)


def test_an_unknown_column_is_answered_with_the_nearest():
    with pytest.raises(ColumnError, match="did you mean 'sharpe_ratio'"):
        schema.column("sharp_ratio")


def test_a_sound_table_has_no_problems(table, grid):
    assert schema.check(table(*grid), "trials") == []


def test_check_names_missing_unknown_and_mistyped_columns(table):
    frame = table({}).drop(columns=["turnover"]).assign(novel=1)
    frame["epochs"] = frame["epochs"].astype("float64")
    problems = schema.check(frame, "trials")
    assert any("'turnover' is missing" in p for p in problems)
    assert any("unknown column 'novel'" in p for p in problems)
    assert any("'epochs'" in p and "Int64" in p and "float64" in p for p in problems)
    assert len(problems) == 3


def test_a_parameter_the_space_does_not_vary_is_not_missing(table):
    assert schema.check(table({}).drop(columns=["config/epsilon"]), "trials") == []


def test_a_trials_column_in_epochs_is_named(epochs):
    (problem,) = schema.check(epochs.assign(cvar_05=-3.0), "epochs")
    assert problem.startswith("epochs:")
    assert "'cvar_05' belongs" in problem


def test_an_unknown_table_is_refused():
    with pytest.raises(ColumnError, match="unknown table 'trial'; did you mean 'trials'"):
        schema.check(pd.DataFrame(), "trial")


@pytest.fixture
def described():
    """A frame of an experiment that the dictionary does not have."""
    frame = pd.DataFrame({"val_loss": [0.3, 0.1], "lift": [1.0, 2.0]})
    frame.attrs["columns"] = schema.Descriptions(
        val_loss={"unit": "bit", "better": "lower", "meaning": "loss"},
        lift={"unit": "1", "better": "lower", "meaning": "lift of the first decile"},
    )
    return frame


def test_a_frame_is_described_by_its_file_before_the_dictionary(described):
    assert schema.column("val_loss", frame=described).unit == "bit"
    assert schema.column("val_loss").unit != "bit"
    assert schema.column("lift", frame=described).dtype == "any"
    assert schema.best(described, "lift") == 0
    with pytest.raises(ColumnError):
        schema.column("lift")


def test_descriptions_stay_with_what_is_made_of_a_frame(described):
    parts = [described[described["lift"] > 0], described.copy(), described.sort_values("lift")]
    for part in [*parts, pd.concat(parts)]:
        assert schema.column("val_loss", frame=part).unit == "bit"


def test_copies_of_descriptions_cost_nothing_and_are_written_as_json(described):
    descriptions = described.attrs["columns"]
    assert copy.deepcopy(descriptions) is descriptions
    assert json.loads(json.dumps(descriptions)) == descriptions


@pytest.mark.parametrize("columns", [None, 3, {"val_loss": 3}, [["val_loss"]]])
def test_a_frame_with_other_attributes_goes_by_the_dictionary(columns):
    frame = pd.DataFrame({"val_loss": [3.0]})
    frame.attrs["columns"] = columns
    assert schema.column("val_loss", frame=frame) == schema.column("val_loss")
