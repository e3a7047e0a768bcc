"""Whole reports over every kind of column, with gaps, and every way a sweep can end."""

import itertools
import json

import faked_xnn
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from quick import quick_of

from analysis import schema
from analysis.__main__ import main

VALUES = {
    "whole": ([1, 5], "Int64"),
    "real": ([0.1, 1e-3], "float64"),
    "flag": ([True, False], "boolean"),
    "text": (["$x_{$ \\frac", "[red]x[/]{0}"], "string"),
    "list": (["[32, 32]", "[64]"], "string"),
}
GAPS = {"some": 0.4, "all": 1.0}
AXES = {"tickets": ("attack.steps",), "xnn": ("training.batch_size",)}
ENDS = ("completed", "failed", "stopped", "running", "interrupted", "mixed")


def alternating(*values, both=()):
    """Every value for both experiments; but for those of ``both``, the second one's is slow."""
    return [
        pytest.param(experiment, value, marks=() if fast else pytest.mark.slow)
        for i, value in enumerate(values)
        for j, experiment in enumerate(AXES)
        for fast in [value in both or i % 4 == 2 * j]
    ]


def axis(frame, name, kind, gaps, rng):
    """``frame`` with an axis of a kind, without a value in a share of rows."""
    values, dtype = VALUES[kind]
    drawn = [
        None if rng.random() < gaps else values[rng.integers(len(values))] for _ in frame.index
    ]
    return frame.assign(**{f"config/{name}": pd.Series(drawn, frame.index, dtype=dtype)})


def ended(frame, end, rng):
    """``frame`` whose trials have an ``end``, with numbers of completed ones only."""
    if end == "completed":
        return frame
    some = ["completed", "failed", "stopped", "running"]
    status = [end if end != "mixed" else some[rng.integers(4)] for _ in frame.index]
    status = pd.Series(status, frame.index)
    done = status.eq("completed")
    kept = {"trial_id", "index", "status", "audited"}
    changed = {
        name: column.where(done)
        for name, column in frame.items()
        if name not in kept and not name.startswith("config/")
    }
    changed |= {"status": status.astype("string"), "audited": status.eq("stopped")}
    changed["stopped_at"] = pd.Series(2, frame.index, dtype="Int64").where(status.eq("stopped"))
    changed["audit_val_loss"] = pd.Series(3.0, frame.index).where(status.eq("stopped"))
    failed = status.eq("failed")
    changed["error"] = pd.Series("E: \x1b[31m$ [b]", frame.index, dtype="string").where(failed)
    return frame.assign(**changed)


@pytest.fixture
def sweep(tmp_path, table, write):
    """A storage of either experiment with its trials changed."""

    def made(experiment, change, *, seeds=2):
        rng = np.random.default_rng(0)
        if experiment == "xnn":
            storage = faked_xnn.storage(
                tmp_path / "x", weights=(0.0, 0.3), clusters=(2, 6), seeds=range(seeds)
            )
            frame = pd.read_parquet(storage / "trials.parquet")
        else:
            rows = [
                {"sparsity": s, "lr": lr, "epsilon": e, "seed": seed, "cvar_05": -3.0 - e - s / 9}
                for s in (0.5, 0.8)
                for lr in (1e-3,)
                for e in (0.0, 0.1)
                for seed in range(seeds)
            ]
            frame = table(*rows)
            epochs = pd.DataFrame(
                {"trial_id": frame["trial_id"], "epoch": 2, "val_loss": np.arange(len(frame)) / 7}
            )
            storage = write(tmp_path / "t", frame, epochs)
            asha = {"metric": "val_loss", "mode": "min", "stratify_by": ["sparsity"]}
            about = {"name": "n", "audit": 0.5, "scheduler": {"asha": asha}}
            (storage / "manifest.json").write_text(json.dumps(about))
        change(frame.assign(status=frame["status"].astype("string")), rng).to_parquet(
            storage / "trials.parquet", index=False
        )
        return storage

    return made


def reported(storage):
    result = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)
    assert result.exit_code in (0, 2), result.output
    if result.exit_code:
        assert len(result.stderr.splitlines()) == 1
    assert "\x1b" not in result.output
    return result


@pytest.mark.parametrize(("experiment", "kind"), alternating(*VALUES, both=("text",)))
@pytest.mark.parametrize("gaps", quick_of(GAPS, every=2))
def test_an_axis_of_every_kind_with_gaps_is_reported(experiment, kind, gaps, sweep, undrawn):
    def change(frame, rng):
        number = kind in ("whole", "real")
        for name in ("market.xi", *(AXES[experiment] if number else ("anything",))):
            frame = axis(frame, name, kind, GAPS[gaps], rng)
        return frame

    assert reported(sweep(experiment, change)).exit_code == 0


@pytest.mark.parametrize(("experiment", "end"), alternating(*ENDS, both=("completed", "mixed")))
@pytest.mark.parametrize("seeds", quick_of([3, 1], every=2))
def test_a_sweep_is_reported_however_it_ended(experiment, end, seeds, sweep, undrawn):
    def change(frame, rng):
        return ended(axis(frame, "attack.steps", "whole", 0.4, rng), end, rng)

    assert reported(sweep(experiment, change, seeds=seeds)).exit_code == 0


@pytest.mark.parametrize(("experiment", "end"), alternating(*ENDS, both=("completed",)))
def test_a_single_trial_is_reported(experiment, end, sweep, undrawn):
    def change(frame, rng):
        return ended(frame.iloc[-1:], end, rng)

    assert reported(sweep(experiment, change)).exit_code == 0


def hollow(frame, names, value, rows):
    """``frame`` with a ``value`` in some ``rows`` of real columns, null in those of others."""
    changed = {}
    for name in names:
        real = pd.api.types.is_float_dtype(frame[name])
        changed[name] = frame[name].mask(rows, value if real else pd.NA)
    return frame.assign(**changed)


def numbers_of(frame):
    flags = (n for n in frame if pd.api.types.is_numeric_dtype(frame[n]))
    return [n for n in flags if n not in ("index", "config/seed", "audited")]


WITHOUT = {"null": None, "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "huge": -1e200}


@pytest.mark.parametrize(
    ("experiment", "case"),
    alternating(*itertools.product(WITHOUT, GAPS), both=[("nan", "some")]),
)
def test_numbers_that_are_not_finite_in_any_column_are_reported(experiment, case, sweep, undrawn):
    value, gaps = case

    def change(frame, rng):
        for name in numbers_of(frame):
            rows = rng.random(len(frame)) < GAPS[gaps] / 3
            frame = hollow(frame, [name], WITHOUT[value], rows)
        return frame

    assert reported(sweep(experiment, change, seeds=4)).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("experiment", AXES)
@pytest.mark.parametrize("gaps", GAPS)
def test_a_single_column_without_finite_numbers_is_reported(experiment, gaps, sweep, undrawn):
    storage = sweep(experiment, lambda frame, rng: frame)
    whole = pd.read_parquet(storage / "trials.parquet")
    rows = np.arange(len(whole)) % 3 < (1 if gaps == "some" else 3)
    for name in numbers_of(whole):
        hollow(whole, [name], -np.inf, rows).to_parquet(storage / "trials.parquet", index=False)
        assert reported(storage).exit_code == 0, name


@pytest.mark.parametrize("experiment", AXES)
def test_a_setting_that_is_text_where_a_number_is_read_is_a_line(experiment, sweep, undrawn):
    def change(frame, rng):
        return axis(frame, "attack.steps", "text", 0.4, rng)

    result = reported(sweep(experiment, change))
    assert result.exit_code == 2
    assert "config/attack.steps" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("experiment", AXES)
def test_figures_are_drawn_of_axes_with_gaps_and_of_strange_texts(experiment, sweep, drawn_small):
    def change(frame, rng):
        for kind in VALUES:
            frame = axis(frame, f"axis $ {{}} {kind}", kind, 0.3, rng)
        return frame

    storage = sweep(experiment, change)
    assert reported(storage).exit_code == 0
    assert len(list((storage / "report" / "figures").rglob("*.png"))) > 3


OPTIONAL = [
    (experiment, name)
    for experiment, of in schema.EXPERIMENTS.items()
    for name in of["trials"]
    if name not in ("trial_id", "index")
]


@pytest.mark.slow
@pytest.mark.parametrize(("experiment", "name"), OPTIONAL)
def test_a_table_without_a_column_is_reported_or_refused_in_a_line(
    experiment, name, sweep, undrawn
):
    reported(sweep(experiment, lambda frame, _: frame.drop(columns=[name], errors="ignore")))


WILD = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-320, 1e90, 0.0, -1.0)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", AXES)
@pytest.mark.parametrize("seed", quick_of(range(6), every=3))
def test_numbers_of_any_size_are_reported(experiment, seed, sweep, undrawn):
    def change(frame, _):
        rng = np.random.default_rng(seed)
        for name in frame.select_dtypes("float64").columns:
            wild = rng.choice(WILD, len(frame))
            frame[name] = frame[name].mask(rng.random(len(frame)) < 0.4, wild)
        return frame

    reported(sweep(experiment, change, seeds=3))


@pytest.mark.parametrize("experiment", AXES)
def test_escape_sequences_of_every_text_column_never_reach_terminal_or_tables(
    experiment, sweep, undrawn
):
    hostile = "\x1b]0;owned\x07\x9b31m\u202e=cmd\r\nx"

    def change(frame, rng):
        texts = [
            n for n, c in schema.EXPERIMENTS[experiment]["trials"].items() if c.dtype == "string"
        ]
        frame = ended(frame, "mixed", rng).copy()
        names = {*texts, "config/\x1b[2Jaxis\u202e", "config/market.\x1b[2J", "reason"}
        names -= {"trial_id", "config/method", "config/seed"}
        lies = pd.Series(hostile, frame.index, dtype="string")
        return frame.assign(**dict.fromkeys(sorted(names), lies))

    storage = sweep(experiment, change)
    about = json.loads((storage / "manifest.json").read_text())
    about |= {"name": hostile, "scheduler": None}
    (storage / "manifest.json").write_text(json.dumps(about))
    said = reported(storage)
    files = [p.read_text(encoding="utf-8") for p in (storage / "report").glob("*.csv")]
    assert files
    for text in (said.stdout, said.stderr, *files):
        assert all(c.isprintable() or c == "\n" for c in text)
