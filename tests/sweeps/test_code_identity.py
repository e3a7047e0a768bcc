"""Identity of the code of an experiment: changes of the code that alter it or do not."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hedgecore.hedging.experiment import TICKETS
from sweeps.journal import code_identity

ROOT = Path(__file__).resolve().parents[2]
HASHES = (
    "from sweeps.journal.code_identity import tree_hash\n"
    "print(*(tree_hash(name) for name in ('tickets', 'xnn')))"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A copy of the packages that compute."""
    folder = tmp_path_factory.mktemp("code")
    for package in ("hedgecore", "search_spaces", "sweeps"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def hashes(folder: Path) -> dict[str, str]:
    command = [sys.executable, "-P", "-B", "-c", HASHES]
    environment = {"PYTHONPATH": str(folder), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return dict(zip(("tickets", "xnn"), done.stdout.split(), strict=True))


@pytest.fixture(scope="module")
def before(original) -> dict[str, str]:
    return hashes(original)


def edited(original: Path, tmp_path: Path, file: str, before: str, after: str) -> dict[str, str]:
    copy = tmp_path / "code"
    shutil.copytree(original, copy)
    text = (copy / file).read_text()
    assert before in text, "the edit edits nothing"
    (copy / file).write_text(text.replace(before, after, 1))
    return hashes(copy)


PNL, XNN, CONFIG = (
    "hedgecore/hedging/pnl.py",
    "hedgecore/insurance/evaluation/scores.py",
    "hedgecore/rng.py",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (PNL, '"""', '"""Reworded. '),
        (XNN, '"""', '"""Reworded. '),
        (CONFIG, "\n\n\n", "\n\n\n# A comment.\n\n\n"),
        (PNL, "\n\n\n", "\n\n\n\n\n"),
        ("hedgecore/bundle/keys.py", "\nimport", "\nVERSION = 7\nimport"),
        ("sweeps/driver.py", "\nimport", "\nVERSION = 7\nimport"),
        ("hedgecore/columns.py", "order of creation", "place in the order of creation"),
        ("hedgecore/hedging/columns.py", "mean test P&L", "average test P&L"),
        ("hedgecore/experiment.py", '"validation loss"', '"loss of validation"'),
        ("hedgecore/hedging/experiment.py", "dense baseline", "network without holes"),
        ("hedgecore/hedging/cost_model.py", "* 3 *", "* 4 *"),
        ("hedgecore/insurance/cost_model.py", "2e6", "3e6"),
        ("hedgecore/insurance/deployment.py", '"encoding."', '"scaling."'),
    ],
)
def test_words_layout_and_what_computes_nothing_change_no_identity(
    original, before, tmp_path, file, old, new
):
    assert edited(original, tmp_path, file, old, new) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        (PNL, "\nimport", "\nVERSION = 7\nimport", {"tickets"}),
        (XNN, "\nimport", "\nVERSION = 7\nimport", {"xnn"}),
        ("hedgecore/insurance/data/schema.csv", "39507.2", "39507.3", {"xnn"}),
        (CONFIG, "\nimport", "\nVERSION = 7\nimport", {"tickets", "xnn"}),
        ("hedgecore/hedging/run.py", "**test_columns, ", "", {"tickets"}),
        ("hedgecore/insurance/run.py", "**theta,", "", {"xnn"}),
        ("hedgecore/training/run.py", "{**epoch.row(), ", "{", {"tickets", "xnn"}),
    ],
)
def test_a_changed_module_changes_the_experiments_that_import_it(
    original, before, tmp_path, file, old, new, changed
):
    after = edited(original, tmp_path, file, old, new)
    assert {name for name in after if after[name] != before[name]} == changed


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("x = 1", "x  =  1  # one", True),
        ("def f():\n    'a'\n    return 1", "def f():\n    '''b'''\n    return 1", True),
        ("A = 1\n'''what A is'''", "A = 1", True),
        ("class C:\n    '''a'''\n    x: int = 1", "class C:\n    x: int = 1", True),
        ("x = 1", "x = 2", False),
        ("x = 1", "x = 1.0", False),
        ("x = 1", "x = True", False),
        ("x = 'a'", "x = 'b'", False),
        ("x = a - b", "x = b - a", False),
        ("x = b'1'", "x = '1'", False),
        ("f('a')", "f('b')", False),
    ],
)
def test_trees_are_equal_exactly_where_code_computes_alike(one, other, equal):
    trees = {json.dumps(code_identity._tree(ast.parse(text))) for text in (one, other)}
    assert (len(trees) == 1) == equal


def test_an_experiment_reaches_what_it_computes_by_and_no_other_experiment():
    tickets, xnn = code_identity.modules("tickets"), code_identity.modules("xnn")
    assert {TICKETS.trainer.train.__module__, TICKETS.study.__module__} <= tickets.keys()
    assert {"hedgecore.market.heston", "hedgecore.rng", "hedgecore.risk"} <= tickets.keys()
    assert not any(name.startswith("hedgecore.insurance") for name in tickets)
    assert not any(name.startswith("hedgecore.hedging") for name in xnn)
    assert not any(name.startswith("hedgecore.bundle") for name in {**tickets, **xnn})


def test_every_module_that_is_loaded_to_compute_is_in_the_identity():
    for name, module in (("tickets", "hedging"), ("xnn", "insurance")):
        program = (
            f"import sys, hedgecore.{module}.prepare, hedgecore.{module}.run\n"
            "print(*(m for m in sys.modules if m.partition('.')[0] == 'hedgecore'))"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
        )
        assert {*done.stdout.split()} <= code_identity.modules(name).keys()


@pytest.mark.parametrize("name", ["tickets", "xnn"])
def test_what_computes_imports_no_columns(name):
    assert not [m for m in code_identity.modules(name) if m.rpartition(".")[2] == "columns"]


def test_code_of_equal_numbers_goes_by_the_identity_of_the_older(monkeypatch):
    own = code_identity.tree_hash("tickets")
    monkeypatch.setattr(code_identity, "EQUAL_NUMBERS", {own: "0" * 64})
    code_identity.code_identity.cache_clear()
    assert code_identity.code_identity("tickets") == "0" * 64
    monkeypatch.setattr(code_identity, "EQUAL_NUMBERS", {})
    code_identity.code_identity.cache_clear()
    assert code_identity.code_identity("tickets") == own
    code_identity.code_identity.cache_clear()


def test_no_entry_of_equal_numbers_is_of_code_that_is_gone():
    here = {code_identity.tree_hash(name) for name in ("tickets", "xnn")}
    assert code_identity.EQUAL_NUMBERS.keys() <= here
