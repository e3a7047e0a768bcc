from dataclasses import replace

import pytest
import torch

from hedgecore.config import ConfigError
from hedgecore.hedging.prepare import mismatch, prepare, restore
from hedgecore.hedging.ticket import assess_ticket

PLACE = "@minimum_variance"


@pytest.fixture(scope="module")
def controlled(study):
    return study.with_axes(
        {"evaluation.control_variate": True, "evaluation.control_paths": 20_000}
    )


@pytest.fixture(scope="module")
def prepared(controlled):
    return prepare(controlled, seed=0)


def test_a_ticket_has_the_estimate_its_error_and_the_gain(controlled, prepared):
    row = assess_ticket(controlled, prepared, prepared.theta_star)
    for name in ("cvar_05", "cvar_01", "cvar_50"):
        value, error, gain = (row[f"{name}_cv{end}{PLACE}"] for end in ("", "_se", "_gain"))
        assert gain > 1
        assert error == pytest.approx(row[f"{name}_se"] / gain**0.5, rel=1e-3)
        assert abs(value - row[name]) < 4 * row[f"{name}_se"]
    assert prepared.columns[f"dense_cvar_05_cv{PLACE}"] == row[f"cvar_05_cv{PLACE}"]


def test_without_the_setting_nothing_changes(study, preparation, prepared):
    assert preparation.control is None
    assert not any(PLACE in name for name in preparation.columns)
    assert preparation.files["dense_pnl"].keys() == {"pnl"}
    clean = {n: v for n, v in prepared.dense.metrics.items() if PLACE not in n}
    assert clean == preparation.dense.metrics


def test_the_control_survives_storage(controlled, prepared):
    restored = restore(controlled, seed=0, about=prepared.about, files=prepared.files)
    assert restored.control.pilots == prepared.control.pilots
    assert torch.equal(restored.control.pnl, prepared.control.pnl)
    assert mismatch(controlled, restored) is None
    assert prepared.to("cpu").control.pilots == prepared.control.pilots


def test_the_pilot_is_independent_of_the_test_paths(controlled, prepared):
    pilot = prepared.control.pilots["cvar_05"]
    assert pilot.paths == 20_000
    other = prepare(
        replace(controlled, market=replace(controlled.market, test_paths=1024)), seed=0
    )
    assert other.control.pilots["cvar_05"] == pilot


def test_a_pilot_of_few_paths_is_refused(study):
    with pytest.raises((ConfigError, ValueError), match="control_paths"):
        study.with_axes({"evaluation.control_paths": 10})
