"""The metrics card of one trial."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.__main__ import main
from analysis.report.card import TrialError, full_id, read_card

HEDGES = {
    "no_hedge": {"cvar_05": -7.0, "turnover": 0.0, "attacked_cvar_05@path_pgd:0.1": -7.5},
    "minimum_variance": {"cvar_05": -3.02, "turnover": 2.7},
}


@pytest.fixture(name="storage")
def _storage(table, write, tmp_path):
    """Two completed trials of one seed, a stopped and a failed one."""
    trials = table(
        {"sparsity": 0.8, "cvar_05": -3.1},
        {"sparsity": 0.9, "cvar_05": -3.2},
        {"sparsity": 0.9, "status": "stopped", "stopped_at": 4, "reason": "rank 4 of 6"},
        {"sparsity": 0.95, "status": "failed", "error": "DivergedError: lower lr"},
    )
    trials["trial_id"] = ["ab01", "ab02", "cd03", "ef04"]
    storage = write(tmp_path / "sweep", trials)
    entry = {name: trials[name].iloc[0] for name in ("theta_0_sha256", "data_sha256")}
    manifest = {
        "name": "t",
        "experiment": "tickets",
        "preparations": {"seed-0": {"seed": 0, **entry, "baselines": HEDGES}},
    }
    (storage / "manifest.json").write_text(json.dumps(manifest))
    return storage


def run(storage, *arguments):
    command = ["show", str(storage), *arguments]
    return CliRunner().invoke(main, command, catch_exceptions=False)


def test_a_card_has_every_recorded_metric_once_with_its_unit_and_error(storage):
    card = read_card(storage, "ab01")
    rows = card.metrics.set_index("name")
    assert rows.index.is_unique
    assert rows.loc["cvar_05", ["value", "se", "better"]].tolist() == [-3.1, 0.02, "higher"]
    assert rows.loc["cvar_05", "unit"] == "currency per option (S0 = 100)"
    assert rows.loc["weights_kept", "group"] == "network"
    assert rows.loc["dense_cvar_05", "group"] == "dense network of its seed"
    assert "cvar_05_se" not in rows.index
    assert card.configuration == {"sparsity": 0.8, "lr": 1e-3, "epsilon": 0.0, "seed": 0}


def test_baselines_of_the_preparation_stand_beside_the_trial(storage):
    card = read_card(storage, "ab02")
    rows = card.baselines.set_index("baseline")
    assert rows["cvar_05"].to_dict() == {
        "this trial": -3.2,
        "no_hedge": -7.0,
        "minimum_variance": -3.02,
    }
    attack = card.attacks.iloc[0]
    assert attack[["attack", "budget", "trial", "no_hedge"]].tolist() == [
        "path_pgd", 0.1, -3.4, -7.5,
    ]  # fmt: skip


def test_baselines_of_other_data_are_not_those_of_the_trial(storage):
    manifest = json.loads((storage / "manifest.json").read_text())
    manifest["preparations"]["seed-0"]["data_sha256"] = "f" * 64
    (storage / "manifest.json").write_text(json.dumps(manifest))
    card = read_card(storage, "ab01")
    assert card.baselines.empty
    assert card.note


def test_preparations_that_disagree_give_no_baselines(storage):
    manifest = json.loads((storage / "manifest.json").read_text())
    other = manifest["preparations"]["seed-0"] | {"baselines": {"no_hedge": {"cvar_05": -9.0}}}
    manifest["preparations"]["seed-0-b"] = other
    (storage / "manifest.json").write_text(json.dumps(manifest))
    assert read_card(storage, "ab01").baselines.empty


def test_a_unique_prefix_suffices_and_an_ambiguous_one_names_the_candidates(storage):
    assert read_card(storage, "cd").trial_id == "cd03"
    with pytest.raises(TrialError, match=r"2 trials .*'ab'.* ab01, ab02"):
        read_card(storage, "ab")


def test_an_empty_id_is_refused_even_if_there_is_one_trial():
    with pytest.raises(TrialError, match=r"empty id .* such as ab01"):
        full_id(pd.Series(["ab01"]), "")


def test_an_unknown_id_names_the_nearest(storage):
    done = run(storage, "ab09")
    assert done.exit_code == 2
    assert "'ab09'; nearest: ab0" in done.output


def test_a_failed_trial_shows_its_error_and_a_stopped_one_its_reason(storage):
    failed, stopped = run(storage, "ef04").output, run(storage, "cd03").output
    assert failed.splitlines()[0] == "trial ef04: failed"
    assert "DivergedError: lower lr" in failed
    assert "rank 4 of 6" in stopped
    assert read_card(storage, "cd03").metrics["name"].ne("cvar_05").all()


def test_json_is_one_object_with_null_for_undefined_numbers(storage):
    content = json.loads(run(storage, "--json", "ab01").output)
    assert content["metrics"]["P&L on test paths"]["cvar_05"] == {
        "value": -3.1,
        "unit": "currency per option (S0 = 100)",
        "better": "higher",
        "se": 0.02,
    }
    assert content["attacks"][0]["no_hedge"] == -7.5
    assert [row["baseline"] for row in content["baselines"]] == ["this trial", *HEDGES]
    assert json.loads(run(storage, "--json", "ef04").output)["outcome"]["error"]


def test_the_tables_name_the_hedges_in_words_and_fit_the_width(storage):
    lines = run(storage, "ab01").output.splitlines()
    row = next(line for line in lines if "minimum-variance delta" in line)
    assert "-3.02" in row
    assert max(map(len, lines)) <= 120
