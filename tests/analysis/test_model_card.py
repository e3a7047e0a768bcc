"""Model card of a trial: front matter, numbers of the tables, and texts that stay texts."""

import json
import math
import re

import faked_xnn
import pandas as pd
import pytest
import scipy.stats
import yaml
from click.testing import CliRunner

from analysis.__main__ import main
from analysis.record.markdown import escaped, paragraphs

HOSTILE = "</a><script>alert(1)</script>\n---\n# x\n| a | b |\n```\n![x](http://e.org/x) \x1b[31m"


def card(storage, trial, *options):
    done = CliRunner().invoke(main, ["card", *options, "--", str(storage), trial])
    assert done.exit_code == 0, done.output
    return done.output


def front_matter(text):
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.S)[1])


def cells(text, metric):
    (line,) = [
        one
        for one in text.splitlines()
        if one.startswith(f"| {metric.replace('_', chr(92) + '_')} |")
    ]
    return [part.strip().replace("\\", "") for part in line.strip("|").split("|")]


@pytest.fixture(name="storage", scope="module")
def _storage(table, write, tmp_path_factory):
    trials = table(
        *(
            {"sparsity": 0.9, "seed": seed, "cvar_05": -3.0 - 0.01 * seed, "lr": lr}
            | {"attacked_cvar_05@path_pgd:0.1": -3.5 - 0.02 * seed}
            for lr in (0.001, 0.01)
            for seed in range(4)
        ),
        {"sparsity": 0.5, "seed": 0, "status": "stopped"},
    )
    storage = write(tmp_path_factory.mktemp("card") / "out", trials)
    (storage / "manifest.json").write_text(json.dumps({"name": "t", "experiment": "tickets"}))
    return storage


def test_its_numbers_are_those_of_the_table(storage):
    text = card(storage, "t0001")
    trials = pd.read_parquet(storage / "trials.parquet")
    values = trials[trials["config/lr"].eq(0.001) & trials["config/sparsity"].eq(0.9)]["cvar_05"]
    own, mean, ends, seeds = cells(text, "cvar_05")[1:5]
    reach = scipy.stats.t.ppf(0.975, 3) * values.std(ddof=1) / math.sqrt(4)
    assert float(own) == pytest.approx(trials["cvar_05"][1])
    assert float(mean) == pytest.approx(values.mean(), rel=1e-5)
    assert json.loads(ends) == pytest.approx(
        [values.mean() - reach, values.mean() + reach], rel=1e-5
    )
    assert seeds == "4"
    (results,) = front_matter(text)["model-index"][0]["results"]
    metrics = {one["type"]: one["value"] for one in results["metrics"]}
    assert metrics["cvar_05"] == trials["cvar_05"][1]


def test_it_has_weak_point_code_and_limits(storage):
    text = card(storage, "t0001")
    assert re.search(r"## Weak point\n\nCVaR 5 % -3\.530 .*\(PGD\), ε = 0\.1", text)
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    compile(code, "card", "exec")
    assert 'sweeps.load_bundle("BUNDLE", key="public.pem")' in code
    assert "no statement of compliance" in text
    assert str(storage) not in text


def test_a_card_without_a_clean_result_has_no_weak_point_of_another_name(table, write, tmp_path):
    rows = [{"sparsity": 0.9, "seed": seed, "cvar_05": math.nan} for seed in range(4)]
    rows = [{**row, "attacked_cvar_05@path_pgd:0.1": -3.5} for row in rows]
    text = card(write(tmp_path / "out", table(*rows)), "t0001")
    assert re.search(r"## Weak point\n\nCVaR 5 % -3\.500 under .*\(PGD\), ε = 0\.1", text)


def test_of_a_c_file_it_has_the_compiler(storage):
    text = card(storage, "t0001", "--source=my hedge.c")
    assert "cc -std=c99 -O3 -c 'my hedge.c' -o 'my hedge.o'" in text


def test_a_stopped_trial_has_no_test_results(storage):
    text = card(storage, "t0008")
    names = [one["type"] for one in front_matter(text)["model-index"][0]["results"][0]["metrics"]]
    assert "cvar_05" not in names
    assert re.search(r"## Weak point\n\nNot shown", text)


def test_texts_of_the_owner_are_in_it_and_gaps_are_named(storage):
    assert "key intended\\_use in record.yaml" in card(storage, "t0001")
    path = storage / "record.yaml"
    path.write_text("intended_use: |\n  Calls on one stock.\n  # not a heading\n")
    try:
        text = card(storage, "t0001")
    finally:
        path.unlink()
    assert "## Intended use\n\nCalls on one stock.\n\n\\# not a heading\n" in text


def test_equal_storages_give_equal_bytes(storage):
    assert card(storage, "t0001") == card(storage, "t0001")


def test_an_xnn_has_the_interval_of_its_cost(tmp_path):
    storage = faked_xnn.storage(tmp_path / "x", weights=(0.0, 0.3), clusters=(2, 6))
    trials = pd.read_parquet(storage / "trials.parquet")
    row = trials[trials["config/adj_weight"].eq(0.3)].iloc[0]
    axes = ["config/adj_weight", "config/clusters"]
    same = trials[(trials[axes] == row[axes]).all(axis=1)]
    mean = cells(card(storage, row["trial_id"]), "cross_entropy_minus_plain")[2]
    cost = (same["cross_entropy"] - same["plain_cross_entropy"]).mean()
    assert float(mean) == pytest.approx(cost, rel=1e-5)
    plain = trials[trials["config/adj_weight"].eq(0.0)]["trial_id"].iloc[-1]
    assert f"trial {plain}" in card(storage, plain)


def test_texts_of_a_stranger_are_no_markup(table, write, tmp_path):
    trials = table({"sparsity": 0.5, "seed": 0})
    trials[f"config/{HOSTILE}"] = pd.Series([HOSTILE], dtype="string")
    storage = write(tmp_path / "out", trials)
    manifest = {"name": HOSTILE, "experiment": "tickets", "versions": {HOSTILE: HOSTILE}}
    (storage / "manifest.json").write_text(json.dumps(manifest))
    (storage / "record.yaml").write_text(
        yaml.safe_dump({"intended_use": HOSTILE.replace("\x1b", "")})
    )
    text = card(storage, "t0000")
    body = text.split("\n---\n", 1)[1]
    assert "\x1b" not in text
    assert not re.search(r"(?<!\\)<", body)
    assert not re.search(r"(?<!\\)!?\[x", body)
    assert len(re.findall(r"^#+ ", body, re.M)) == 8
    assert len(re.findall(r"^```", body, re.M)) == 2
    assert len(re.findall(r"^---", body, re.M)) == 0
    assert front_matter(text)["model-index"][0]["name"].startswith("</a>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b *c*", r"a\_b \*c\*"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("- item", r"\- item"),
        ("-3.5", "-3.5"),
        ("1. item", r"1\. item"),
        ("1.5 of", "1.5 of"),
        ("---", r"\---"),
        ("===", r"\==="),
        ("http://e.org www.e.org", r"http:\//e.org www\.e.org"),
        ("two\nlines\ttab", "two lines tab"),
        ("bell\x07", r"bell\\x07"),
    ],
)
def test_markdown_is_escaped(text, expected):
    assert escaped(text) == expected


def test_paragraphs_are_kept():
    assert paragraphs("a\n\n# b\n") == "a\n\n\\# b"
