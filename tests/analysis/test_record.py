"""Model-risk record: its numbers follow from the tables, and nothing in it is invented."""

import json
import math
import re

import faked_xnn
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from click.testing import CliRunner

from analysis.__main__ import main
from analysis.record.changes import differences
from analysis.record.document import flat

SEEDS = range(20)
MANIFEST = {
    "name": "t",
    "experiment": "tickets",
    "trials": 130,
    "space": {"sparsity": {"grid": [0.0, 0.5, 0.9]}, "lr": {"grid": [0.001, 0.01]}},
    "study": {"market": {"scheme": "qe_m", "steps": 30}, "training": {"lr": 0.001, "epochs": 20}},
    "search": {"algorithm": "grid", "objectives": []},
    "git": {"commit": "abc", "dirty": True},
    "core_sha256": "ef" * 32,
    "versions": {"torch": "2.13"},
}


def rows():
    """Sparsity x lr x seed, all completed; the loss rises with sparsity and falls with lr."""
    rng = np.random.default_rng(0)
    return [
        {"sparsity": sparsity, "lr": lr, "seed": seed, "seconds": 90.0, "epochs": 10}
        | {"val_loss": 3.0 + sparsity - 20 * lr + 0.01 * rng.normal()}
        | {"cvar_05": -3.0 - 0.01 * sparsity + 0.01 * rng.normal()}
        for sparsity in (0.0, 0.5, 0.9)
        for lr in (0.001, 0.01)
        for seed in SEEDS
    ]


def storage_of(write, folder, trials, manifest=MANIFEST, answers=None):
    write(folder, trials, pd.DataFrame({"trial_id": ["t0000"], "epoch": [1], "val_loss": [3.0]}))
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    if answers is not None:
        (folder / "record.yaml").write_text(answers, encoding="utf-8")
    return folder


def run(*arguments):
    return CliRunner().invoke(main, ["record", *map(str, arguments)], catch_exceptions=False)


def read(storage, *options):
    done = run(storage, "--json", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def section(content, number):
    (one,) = (s for s in content["sections"] if s["number"] == number)
    return one


def entry(content, number, name):
    (one,) = (e for e in section(content, number)["entries"] if e["name"] == name)
    return one


def records(content, number, title):
    """Rows of a table as dictionaries."""
    (one,) = (t for t in section(content, number)["tables"] if t["title"] == title)
    return [dict(zip(one["columns"], row, strict=True)) for row in one["rows"]]


def student(values):
    reach = scipy.stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return values.mean(), values.mean() - reach, values.mean() + reach


@pytest.fixture(name="tickets", scope="module")
def _tickets(table, write, tmp_path_factory):
    return storage_of(write, tmp_path_factory.mktemp("record") / "out", table(*rows()))


@pytest.fixture(name="content", scope="module")
def _content(tickets):
    return read(tickets)


@pytest.fixture(name="parquet", scope="module")
def _parquet(tickets):
    return pd.read_parquet(tickets / "trials.parquet")


def test_sections_are_those_of_a_model_risk_record(content):
    numbers = [one["number"] for one in content["sections"]]
    assert numbers == [*map(str, range(1, 17)), "A"]
    assert all(one["title"] and one["purpose"] for one in content["sections"])


def test_every_value_names_its_source(content):
    files = ("trials.parquet", "epochs.parquet", "manifest.json", "space.yaml", "SHA256SUMS")
    files += ("models/", "log", "hedgesweep")
    for one in content["sections"]:
        for part in (*one["entries"], *one["tables"]):
            assert any(name in part["source"] for name in files), part


def test_numbers_of_the_search_are_those_of_the_records(content, parquet):
    assert entry(content, "6", "Trials planned")["value"] == 130
    assert entry(content, "6", "Trials recorded")["value"] == len(parquet)
    assert entry(content, "6", "Trials completed")["value"] == len(parquet)
    assert entry(content, "6", "Epochs trained")["value"] == parquet["epochs"].sum()
    hours = entry(content, "6", "Trial time")["value"]
    assert hours == pytest.approx(parquet["seconds"].sum() / 3600)
    assert entry(content, "6", "Seeds")["value"] == len(SEEDS)


def test_numbers_of_the_recommended_network_are_those_of_the_records(content, parquet):
    (row,) = records(content, "11", "Recommended networks")
    chosen = parquet[parquet["trial_id"].eq(row["trial"])].iloc[0]
    axes = ["config/sparsity", "config/lr"]
    same = parquet[(parquet[axes] == chosen[axes]).all(axis=1)]
    numbers = (row["mean"], row["low"], row["high"])
    assert numbers == pytest.approx(student(same["cvar_05"].astype(float)))
    assert row["seeds"] == len(same)
    (own,) = records(content, "11", "Test results of the recommended trials")
    assert own["cvar_05"] == chosen["cvar_05"]


def test_the_share_of_the_seeds_is_that_of_the_sums_of_squares(content, parquet):
    losses = parquet["val_loss"].astype(float)
    groups = losses.groupby([parquet["config/sparsity"], parquet["config/lr"]])
    within = ((losses - groups.transform("mean")) ** 2).sum()
    share = entry(content, "7", "Share of the variance of val_loss between seeds")["value"]
    assert share == pytest.approx(within / ((losses - losses.mean()) ** 2).sum())


def test_the_effect_of_an_axis_is_a_paired_difference_over_seeds(content, parquet):
    effects = {
        row["axis"]: row for row in records(content, "7", "Effect of every axis on val_loss")
    }
    wide = parquet.pivot_table("val_loss", "config/seed", ["config/sparsity", "config/lr"])
    for axis, upper, lower, level, rank in (
        ("sparsity", 0.9, 0.0, "config/sparsity", "worse"),
        ("lr", 0.01, 0.001, "config/lr", "better"),
    ):
        by_seed = (wide.xs(upper, axis=1, level=level) - wide.xs(lower, axis=1, level=level)).mean(
            axis=1
        )
        row = effects[axis]
        numbers = (row["mean difference"], row["low"], row["high"])
        assert numbers == pytest.approx(student(by_seed))
        assert (row["from"], row["to"], row["verdict on the largest"]) == (lower, upper, rank)


def test_thresholds_are_order_statistics_where_there_are_seeds_enough(content, parquet):
    levels = {row["level"]: row for row in records(content, "14", "Thresholds")}
    (row,) = records(content, "11", "Recommended networks")
    chosen = parquet[parquet["trial_id"].eq(row["trial"])].iloc[0]
    axes = ["config/sparsity", "config/lr"]
    same = parquet[(parquet[axes] == chosen[axes]).all(axis=1)]
    # Of 20 seeds, a new one is below the least with probability 1 / 21.
    assert levels["amber"]["threshold"] == same["cvar_05"].min()
    assert levels["red"]["threshold"] is None
    assert re.search("not shown: 20 seeds, 99 needed", levels["red"]["note"])


def test_importance_is_that_of_the_page(content, parquet):
    from analysis.html.importances import importances

    rows = records(content, "7", "Importance of hyper-parameters (PED-ANOVA)")
    assert {row["parameter"]: row["share"] for row in rows} == pytest.approx(importances(parquet))


def test_claims_are_those_of_the_analysis(content, tickets):
    import analysis

    page = analysis.claims(analysis.load_trials(tickets), analysis.load_manifest(tickets))
    verdicts = page[page["verdict"].ne("not asked")].set_index("statement")["verdict"].to_dict()
    assert {r["claim"]: r["verdict"] for r in records(content, "8", "Claims")} == verdicts


def test_fixed_choices_are_the_study_without_the_axes(content):
    fixed = {r["setting"]: r["value"] for r in records(content, "3", "Fixed choices")}
    study = dict(flat(MANIFEST["study"]))
    del study["training.lr"]
    assert fixed == study


def test_the_space_file_tells_which_settings_were_written(table, write, tmp_path):
    storage = storage_of(write, tmp_path / "out", _frame(table))
    (storage / "space.yaml").write_text("study:\n  market: {steps: 30}\n")
    fixed = next(t for t in section(read(storage), "3")["tables"] if t["title"] == "Fixed choices")
    written = {row[0]: row[2] for row in fixed["rows"]}
    assert written == {"market.scheme": False, "market.steps": True, "training.epochs": False}


def _frame(table):
    return table(*({"sparsity": 0.5, "seed": seed} for seed in (0, 1, 2)))


BOMB = "a: &a [x, x, x]\n" + "".join(
    f"{b}: &{b} {{k: *{a}, l: *{a}, m: *{a}}}\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text", [BOMB, "study: {a: 1", "[" * 200_000, "- 1", "\x00", "study: &a [*a]"]
)
def test_a_space_file_that_cannot_be_read_leaves_the_column_empty(text, table, write, tmp_path):
    storage = storage_of(write, tmp_path / "out", _frame(table))
    (storage / "space.yaml").write_text(text)
    fixed = next(t for t in section(read(storage), "3")["tables"] if t["title"] == "Fixed choices")
    assert {row[2] for row in fixed["rows"]} <= {None, False}


def test_early_stopping_leaves_effects_and_its_cost_not_shown(table, write, tmp_path):
    stopped = [
        {"sparsity": 0.5, "lr": lr, "seed": seed, "status": "stopped", "stopped_at": 2}
        | {"reason": "rank 2 of 2 at epoch 2"}
        for lr in (0.1, 0.2)
        for seed in (0, 1, 2)
    ]
    content = read(storage_of(write, tmp_path / "out", table(*rows(), *stopped)))
    assert entry(content, "7", "Effect of every axis")["value"] is None
    (reason,) = table_rows(content, "6", "Reasons of stops")
    assert reason == ["rank 2 of 2 at epoch 2", 6]
    (line,) = [f for f in section(content, "6")["findings"] if "not shown" in f]
    assert "--audit" in line
    limits = dict(table_rows(content, "12", "Limits by rule"))
    assert limits["Censored trials"].startswith("6 of 126")


def table_rows(content, number, title):
    (one,) = (t for t in section(content, number)["tables"] if t["title"] == title)
    return one["rows"]


def test_the_audit_gives_the_cost_of_stopping_with_its_interval(table, write, tmp_path):
    """One of two audited stops beats the finisher: Clopper-Pearson of 1 in 2."""
    manifest = MANIFEST | {
        "audit": 0.5,
        "scheduler": {"asha": {"stratify_by": ["sparsity"], "metric": "val_loss"}},
    }
    stop = {"status": "stopped", "stopped_at": 2, "audited": True, "val_loss": 4.0}
    trials = table(
        {"sparsity": 0.5, "lr": 0.1, "val_loss": 3.0},
        {"sparsity": 0.5, "lr": 0.2, "audit_val_loss": 2.5, **stop},
        {"sparsity": 0.5, "lr": 0.3, "audit_val_loss": 3.5, **stop},
    )
    storage = storage_of(write, tmp_path / "out", trials, manifest)
    epochs = [{"trial_id": i, "epoch": 2, "val_loss": 4.0} for i in trials["trial_id"]]
    pd.DataFrame(epochs).to_parquet(storage / "epochs.parquet", index=False)
    first = table_rows(read(storage), "6", "Audited stops by rung, all rungs first")[0]
    ends = scipy.stats.binomtest(1, 2).proportion_ci(0.95)
    columns = next(
        t["columns"] for t in section(read(storage), "6")["tables"] if "Audited" in t["title"]
    )
    row = dict(zip(columns, first, strict=True))
    assert (row["audited"], row["false stops"], row["share"]) == (2, 1, 0.5)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high))


def test_the_edge_of_an_axis_is_a_limit(content):
    limits = dict(table_rows(content, "12", "Limits by rule"))
    assert "lr 0.01" in limits["Axes at the edge of their range"]
    assert limits["Simulator only"].startswith("all evidence is on simulated paths")


def test_few_seeds_in_a_stratum_are_a_limit(table, write, tmp_path):
    manifest = MANIFEST | {"scheduler": {"asha": {"stratify_by": ["sparsity"]}}}
    trials = table(
        *({"sparsity": 0.5, "seed": seed} for seed in range(3)),
        *({"sparsity": 0.9, "seed": seed} for seed in range(2)),
    )
    limits = dict(
        table_rows(
            read(storage_of(write, tmp_path / "o", trials, manifest)), "12", "Limits by rule"
        )
    )
    assert limits["Strata with fewer than 3 seeds"] == "sparsity 0.9: 2 seeds"


def test_changes_are_the_differences_of_the_manifests(tickets, table, write, tmp_path):
    before = json.loads(json.dumps(MANIFEST))
    before["study"]["market"]["steps"] = 20
    before["versions"] = {}
    earlier = storage_of(write, tmp_path / "earlier", _frame(table), before)
    found = table_rows(
        read(tickets, "--previous", earlier), "15", "Changes since the earlier sweep"
    )
    assert found == [
        ["study.market.steps", 20, 30],
        ["versions", "{}", None],
        ["versions.torch", None, "2.13"],
    ]
    assert differences(MANIFEST, MANIFEST) == []


@pytest.fixture(name="xnn", scope="module")
def _xnn(tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "xnn"
    return faked_xnn.storage(path, weights=(0.0, 0.3), clusters=(2, 6), seeds=(0, 1, 2))


def test_numbers_of_an_xnn_are_those_of_the_table(xnn):
    content, parquet = read(xnn), pd.read_parquet(xnn / "trials.parquet")
    (row,) = records(content, "11", "Recommended networks")
    chosen = parquet[parquet["trial_id"].eq(row["trial"])].iloc[0]
    axes = ["config/adj_weight", "config/clusters"]
    same = parquet[(parquet[axes] == chosen[axes]).all(axis=1)]
    cost = same["cross_entropy"] - same["plain_cross_entropy"]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(student(cost))
    gain = entry(content, "10", "explanation_gain")
    numbers = (gain["value"], gain["low"], gain["high"])
    assert numbers == pytest.approx(student(same["explanation_gain"]))
    assert {r["model"] for r in records(content, "8", "Other models")} >= {"plain network"}
    assert {r["group"] for r in records(content, "10", "Rates by group")} == {"1", "2"}


def test_generated_applicants_are_a_limit(xnn):
    manifest = json.loads((xnn / "manifest.json").read_text())
    assert manifest["study"]["data"].get("path") is None
    limits = dict(table_rows(read(xnn), "12", "Limits by rule"))
    assert "generated" in limits["Generated data"]


def test_equal_storages_give_equal_bytes(tickets):
    first, second = (run(tickets, "--json").stdout_bytes for _ in range(2))
    assert first == second


HOSTILE = "</script><script>alert(1)</script>\x1b[31m\u202e|`"


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no trial"),
        pytest.param([{}], id="one trial"),
        pytest.param([{"status": "failed", "error": HOSTILE}] * 3, id="all failed"),
        pytest.param([{"status": "stopped", "val_loss": None}] * 3, id="no loss"),
        pytest.param([{"seed": s} for s in range(4)], id="equal losses"),
        pytest.param([{"seed": s, "val_loss": math.nan} for s in range(4)], id="NaN"),
        pytest.param(
            [{"seed": s, "cvar_05": math.inf, "cvar_05_se": math.nan} for s in range(4)],
            id="infinite",
        ),
        pytest.param([{"seed": 0}, {"seed": 1, "status": "running"}], id="gaps"),
    ],
)
def test_a_sweep_with_little_to_say_has_a_record(rows, table, write, tmp_path):
    trials = table(*rows) if rows else table({}).iloc[:0]
    storage = storage_of(write, tmp_path / "out", trials)
    content = read(storage)
    assert entry(content, "6", "Trials recorded")["value"] == len(rows)
    assert "\x1b" not in run(storage).output
    if not any(row.get("status") is None for row in rows):
        assert entry(content, "11", "Recommended network")["value"] is None


def test_texts_of_a_stranger_stay_texts(table, write, tmp_path):
    trials = table({"sparsity": 0.5}, {"status": "failed", "error": HOSTILE})
    trials[f"config/{HOSTILE}"] = pd.Series(["a", HOSTILE], dtype="string")
    manifest = MANIFEST | {"name": HOSTILE, "git": {"commit": HOSTILE}, "versions": {HOSTILE: 1}}
    manifest |= {"space": {HOSTILE: {"grid": [HOSTILE]}}, "preparations": {HOSTILE: {"seed": 1}}}
    storage = storage_of(write, tmp_path / "out", trials, manifest)
    for options in ((), ("--json",), ("--check",)):
        output = run(storage, *options).output
        assert "\x1b" not in output
        assert "\u202e" not in output


def test_a_manifest_of_odd_types_has_a_record(table, write, tmp_path):
    odd = {"git": [], "versions": 3, "space": {"lr": 1}, "search": 1, "preparations": {"a": {}}}
    content = read(storage_of(write, tmp_path / "out", _frame(table), MANIFEST | odd))
    assert entry(content, "1", "Git commit")["value"] is None


def test_without_a_manifest_nothing_is_invented(table, write, tmp_path):
    storage = storage_of(write, tmp_path / "out", _frame(table))
    (storage / "manifest.json").unlink()
    content = read(storage)
    for name in ("Started", "Git commit", "Python", "Device"):
        assert entry(content, "1", name)["value"] is None
