"""README.md and docs/: their command lines and Python blocks run, on small storages.

``run`` has the driver, log and search of a sweep, and trials of :mod:`faked_sweep`; commands on a
cluster speak to :mod:`fake_head`. All others are the commands themselves, on sweeps of two trials.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import faked_sweep
import pandas as pd
import pytest
from documented_commands import PAGES, Line, blocks, lines
from local_sweep import run_locally
from spaces import TINY, TINY_XNN

import sweeps
from hedgecore.insurance.data.applicants import Applicants
from sweeps import __main__ as command_line
from sweeps import until_decided
from sweeps.execution import ray_sweep
from sweeps.journal.stored_sweep import StoredSweep

ONE = {"space.lr.grid": [1e-2], "space.epsilon.grid": [0.0]}
ONE_XNN = {"space.adj_weight.grid": [0.0, 0.3], "space.clusters.grid": [2], "space.seed.grid": [0]}
TRIAL_ID = r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{4}\b"
PASSPHRASE = "a passphrase of the tests"

# Words that shorten a command, of which the last one counts.
SHORTER = {
    "plan": ["--no-probe"],
    "simulate": ["--trials", "20"],
    "run": ["--set", "space.seed.grid=[0]"],
    "--until-decided": ["--set", "space.seed.grid=[0, 1, 2]", "--max-seeds", "3"],
}
# Options of commands that run until they are interrupted: those lines are parsed only.
ENDLESS = ("--live",)
# Packages of extras; lines that need a missing one are parsed only.
EXTRAS = {"--tensorboard": "tensorboardX", "--mlflow": "mlflow", "query": "duckdb"}
EXTRAS |= {"--onnx": "onnxscript"}


@dataclass
class Files:
    """Files that pages name, in ``folder``; ``home`` has those below ``~``."""

    folder: Path
    home: Path
    ids: dict[str, list[str]] = field(default_factory=dict)

    def place(self, words: tuple[str, ...], target: Path) -> None:
        """Copy what ``words`` name, options that name an output left out, to ``target``."""
        outputs = {words[i + 1] for i, word in enumerate(words[:-1]) if word == "--out"}
        for word in {*words} - outputs:
            source = self._source(word)
            if source.is_dir():
                shutil.copytree(source, target / word)
            elif source.is_file():
                (target / word).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target / word)

    def _source(self, word: str) -> Path:
        if re.fullmatch(r"results/[\w-]+", word):
            return self.folder.parent / ("xnn" if "xnn" in word else "tickets")
        return (
            self.folder / word if word and not word.startswith(("/", "~")) else Path("/dev/null")
        )

    def real(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """``words`` with trials and addresses of the tests in place of a page's."""
        ids = self.ids["xnn" if any("xnn" in word for word in words) else "tickets"]

        def replaced(word: str) -> str:
            word = re.sub(TRIAL_ID, lambda match: ids[int(match[0], 16) % len(ids)], word)
            return re.sub(r"s3://[\w-]+/", "results/", word).replace("~/", f"{self.home}/")

        return tuple(map(replaced, words))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    """Two sweeps, their keys and bundles, a table of applicants, and the space of a page."""
    top = tmp_path_factory.mktemp("documented")
    made = Files(top / "folder", top / "home")
    for name, space, overrides in (("tickets", TINY, ONE), ("xnn", TINY_XNN, ONE_XNN)):
        run_locally(space, top / name, overrides=overrides)
        made.ids[name] = sorted(StoredSweep.read(top / name).state.trials)
    applicants = Applicants.of(StoredSweep.read(top / "xnn").study.data, seed=0)
    made.folder.mkdir()
    pd.DataFrame(applicants.table.columns).to_csv(made.folder / "rows.csv", index=False)
    (page,) = (page for page in PAGES if page.stem == "write_space")
    space, *_ = blocks(page, "yaml")
    (made.folder / "steps.yaml").write_text(space)
    keys = made.home / "keys"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGESWEEP_PASSPHRASE", PASSPHRASE)
        assert status(f"keys --out {keys}".split()) == 0
        signing = made.folder / "signing-keys"
        assert status(f"keys --out {signing} --for model-signing".split()) == 0
        for bundle, storage, trial in (
            ("desk-1", "tickets", *made.real(("51f7",))),
            ("underwriter-1", "xnn", made.ids["xnn"][0]),
        ):
            words = f"seal {top / storage} {trial} --key {keys / 'private.pem'}"
            assert status([*words.split(), "--out", str(made.folder / bundle)]) == 0
    shutil.copytree(keys, made.folder / "keys")
    shutil.copy(keys / "public.pem", made.folder)
    return made


@pytest.fixture
def sweep_without_ray(monkeypatch):
    def formula(config: Any, epoch: int) -> float:
        return 4.0 - 0.1 * epoch + 0.01 * len(str(config))

    work = partial(faked_sweep._work, formula=formula, stop_after=None, shuffle_seed=None)

    @contextmanager
    def prepared(*arguments: Any) -> Iterator[dict[str, Any]]:
        """Facts of either experiment."""
        with faked_sweep.prepared(*arguments) as preparations:
            for one in preparations.values():
                one.facts = replace(one.facts, about={"table": {"rows": {}}})
            yield preparations

    monkeypatch.setattr(ray_sweep, "prepared", prepared)
    monkeypatch.setattr(ray_sweep, "work", work)
    monkeypatch.setattr(command_line, "ignore_signals", lambda: None)
    claim = {"claim": "robustness", "verdict": "supported", "reason": "", "e_supported": 99.0}
    rows = [claim | {"e_contradicted": 0.1}]
    names = [claim["claim"]]
    monkeypatch.setattr(until_decided, "_claims", lambda *a: names if "--names" in a else rows)


def status(words: list[str]) -> int:
    """Exit status of ``hedgesweep`` with ``words``."""
    try:
        command_line.cli.main(words, prog_name="hedgesweep", standalone_mode=False)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def parsed(words: tuple[str, ...]) -> click.Context:
    """Context of the command of ``words``: its names, options and values are valid."""
    root = command_line.cli
    context = root.make_context("hedgesweep", list(words))
    name, command, rest = root.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    return command.make_context(name, rest, parent=context)


def only_parsed(words: tuple[str, ...]) -> bool:
    missing = (package for word, package in EXTRAS.items() if word in words)
    return bool({*ENDLESS} & {*words}) or any(find_spec(package) is None for package in missing)


# Excerpts, whose names another program has.
EXCERPTS = ("bundle",)
PYTHON = [page for page in PAGES if any(blocks(page, "python")) and page.stem not in EXCERPTS]


def distinct() -> list[Any]:
    """Lines that differ in more than the name of a storage."""
    found: dict[tuple[str, ...], Line] = {}
    for line in lines():
        key = (re.sub(r"^(s3://[\w-]+|results)/(?!xnn)[\w-]+$", "STORAGE", w) for w in line.words)
        found.setdefault(tuple(key), line)
    # Ray's own scheduler draws from numpy's global generator.
    marks = {"report": pytest.mark.slow, "--stock": pytest.mark.ray}
    return [
        pytest.param(
            line,
            id=str(line),
            marks=[
                *(mark for word, mark in marks.items() if word in key),
                *([] if line.page.name == "README.md" else [pytest.mark.slow]),
            ],
        )
        for key, line in found.items()
    ]


@pytest.mark.parametrize("line", distinct())
def test_a_documented_command_ends_in_order(
    line, files, head, cluster, sweep_without_ray, tmp_path, monkeypatch
):
    words, folder = line.words[1:], tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEDGESWEEP_PASSPHRASE", PASSPHRASE)
    home = replace(files, home=tmp_path / "home")
    if words[0] != "keys":
        shutil.copytree(files.home, home.home, dirs_exist_ok=True)
    if words[0] in ("submit", "logs", "cancel") and "cluster.yaml" in words:
        if words[0] != "submit":
            head.add("tickets", "RUNNING", started=2)
        words = tuple(str(cluster) if word == "cluster.yaml" else word for word in words)
    else:
        words = home.real(words)
    if words[0] != "run":
        files.place(words, folder)
    if not words[0].startswith("-"):
        parsed(words)
    if not only_parsed(words):
        shorter = SHORTER.get("--until-decided" if "--until-decided" in words else words[0], ())
        assert status([*words, *shorter]) == (3 if "--check" in words else 0)


@pytest.mark.parametrize(
    "words", [("trials", "results/smoke", "--sorted", "cvar_05"), ("show",), ("shwo", "a", "b")]
)
def test_control_a_command_line_that_is_wrong_is_found(words):
    with pytest.raises(click.UsageError):
        parsed(words)


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, files, sweep_without_ray, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(files.home))
    source = "\n".join(blocks(page, "python"))
    (source,) = files.real((source,))
    files.place(tuple(re.findall(r'"([^"\n]+)"', source)), tmp_path)
    run = sweeps.run  # into another storage, for the one in place has the models
    monkeypatch.setattr(
        sweeps, "run", lambda space, *, storage, **how: run(space, storage=f"{storage}-run", **how)
    )
    names: dict[str, Any] = {name: import_module(name) for name in ("analysis", "sweeps")}
    names |= {"pd": pd, **{name: [[100.0, 101.0]] for name in ("spot", "variance")}}
    exec(compile(source, page.name, "exec"), names)
