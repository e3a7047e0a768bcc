"""Columns of both experiments: whole, without contradiction, and apart from what computes."""

import subprocess
import sys
from typing import get_args

import pytest

from hedgecore.columns import Better, Column, Columns
from hedgecore.hedging.columns import COLUMNS as TICKETS
from hedgecore.hedging.experiment import TICKETS as TICKETS_EXPERIMENT
from hedgecore.hedging.preparation import DENSE_METRICS
from hedgecore.insurance.columns import COLUMNS as XNN
from hedgecore.insurance.experiment import XNN as XNN_EXPERIMENT

TABLES = [
    table
    for columns in (TICKETS, XNN)
    for table in (
        columns.trials(),
        columns.epochs(),
        *(family.bases for family in columns.families),
    )
]
EXPERIMENTS = [TICKETS_EXPERIMENT, XNN_EXPERIMENT]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_a_table_has_one_name_and_a_meaning(table):
    assert len({column.name for column in table}) == len(table)
    assert all(column.meaning for column in table)
    assert {column.better for column in table} <= {*get_args(Better), None}


@pytest.mark.parametrize("table", TABLES)
def test_what_has_a_better_end_is_a_number_with_a_unit(table):
    graded = [column for column in table if column.better]
    assert graded
    assert all(column.unit and column.type in (int, float) for column in graded)


@pytest.mark.parametrize("columns", [TICKETS, XNN])
def test_losses_of_one_experiment_have_one_unit(columns):
    named = {column.name: column for column in columns.trials()}
    units = {named[name].unit for name in ("val_loss", "audit_val_loss")}
    assert units == {column.unit for column in columns.losses}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_trials_are_compared_towards_the_better_end(experiment):
    ends = {column.name: column.better for column in experiment.columns.epochs()}
    ends |= {column.name: column.better for column in experiment.columns.trials()}
    goals = experiment.search.objectives(experiment.study())
    # Of equal risk, the sparser ticket is wanted; by itself neither is better.
    goals.pop("sparsity_achieved", None)
    goals = {name: {"min": "lower", "max": "higher"}[goal] for name, goal in goals.items()}
    assert goals == {
        name: ends.get(name) or experiment.columns.member(name).better for name in goals
    }


def test_what_a_ticket_carries_of_the_dense_network_has_its_column():
    dense = [c.name for c in TICKETS.references if c.name.startswith("dense_")]
    assert dense[2:] == [f"dense_{name}" for name in DENSE_METRICS]


@pytest.mark.parametrize(
    ("name", "base", "unit"),
    [
        ("attacked_cvar_05@path_pgd:0.1", "cvar_05", None),
        ("val_attacked_cvar_01@observation_pgd:1e-3", "cvar_01", None),
        ("dense_attacked_cvar_50@transfer:0.1", "cvar_50", None),
        ("cvar_05@regime:high_vol", "cvar_05", None),
        ("cvar_05_of_price@regime:calm", "cvar_05", "1"),
        ("dense_cvar_05_worst@shift:0.1", "cvar_05", None),
    ],
)
def test_a_metric_elsewhere_has_the_unit_and_better_end_of_the_metric(name, base, unit):
    metric = next(column for column in TICKETS.trials() if column.name == base)
    column = TICKETS.member(name)
    assert (column.name, column.unit, column.better) == (name, unit or metric.unit, metric.better)
    assert name.rpartition(":")[2] in column.meaning


@pytest.mark.parametrize(
    "name", ["pnl_std@path_pgd:0.1", "attacked_cvar_05@regime:calm", "cvar_05@path_pgd", "x@y:1"]
)
def test_what_no_family_has_is_a_column_without_meaning(name):
    assert TICKETS.member(name) == Column(name, float, "", None, "")


def test_a_parameter_without_a_column_is_described_by_its_path():
    columns = TICKETS.trials(["config/lr", "config/market.xi"])
    lr, xi = (column for column in columns if column.name.startswith("config/"))
    assert lr in TICKETS.parameters
    assert xi == Column("config/market.xi", object, "", None, "parameter market.xi")


def test_an_experiment_needs_no_columns_but_its_losses():
    names = [c.name for c in Columns(losses=XNN.losses).epochs()]
    assert names == ["trial_id", "epoch", "train_loss", "val_loss", "best", "seconds", "audit"]


def test_columns_are_read_without_torch():
    program = (
        "import sys, hedgecore.hedging.columns, hedgecore.insurance.columns\n"
        "assert not {'torch', 'numpy', 'pandas'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
