"""The borders of the design, read from the syntax of every file; and the reader, examined."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("hedgecore", "search_spaces", "sweeps", "analysis")
OURS = {*PACKAGES, "tests", "benchmarks"}
MAY_IMPORT = {
    # Neither of which imports torch.
    "search_spaces": ("hedgecore.errors.", "hedgecore.registry."),
    "sweeps": ("hedgecore.", "search_spaces."),
}
NEVER = {
    "hedgecore": {"ray", "optuna", "yaml", "matplotlib", "pandas"},
    "search_spaces": {"ray", "optuna", "torch"},
    "sweeps": {"matplotlib"},
    "analysis": {"ray", "torch"},
}
# Imports go downwards or stay within a unit; only the units of a base, 0, may meet each other.
LAYERS = {
    "hedgecore": {
        **dict.fromkeys(("errors", "rng", "readings", "registry", "config", "risk"), 0),
        **dict.fromkeys(("arithmetic", "columns", "fingerprints", "protocols"), 0),
        **dict.fromkeys(("control_variate", "kernel", "metrics", "threads"), 0),
        **dict.fromkeys(("market", "training"), 1),
        **dict.fromkeys(("attacks", "experiment", "pruning"), 2),
        **dict.fromkeys(("hedging", "insurance"), 3),
        **dict.fromkeys(("bundle", "__init__"), 4),
    },
    "sweeps": {
        **dict.fromkeys(("environment", "errors", "exits", "experiments", "origin"), 0),
        "analysis_process": 0,
        **dict.fromkeys(("next_command", "signals", "standard_output", "text", "trace_file"), 0),
        **dict.fromkeys(("objects", "planning"), 1),
        "journal": 2,
        "scheduling": 3,
        "execution": 4,
        **dict.fromkeys(("jobs", "monitoring", "inspection", "simulation"), 5),
        **dict.fromkeys(("arguments", "bundle_keys", "exports", "manifest_records", "options"), 6),
        **dict.fromkeys(("outcome", "sealing"), 6),
        **dict.fromkeys(("command_groups", "completion"), 0),
        **dict.fromkeys(("analysis_commands", "bundle_commands", "bundles", "driver"), 7),
        **dict.fromkeys(("conclusion", "model_commands", "requested_config"), 7),
        **dict.fromkeys(("export_commands", "prediction", "steering", "until_decided"), 8),
        **dict.fromkeys(("job_commands", "steering_commands"), 9),
        "__init__": 9,
        "__main__": 10,
    },
    "analysis": {
        **dict.fromkeys(("bounds", "columns", "escapes", "json_values", "sparkline"), 0),
        **dict.fromkeys(("attacks", "errors", "files", "manifest", "object_stores"), 0),
        **dict.fromkeys(("metric_names", "parquet_pages", "processes"), 0),
        **dict.fromkeys(("checksums", "parquet", "schema", "tensors"), 1),
        **dict.fromkeys(("configurations", "duplicates", "load"), 2),
        **dict.fromkeys(("frames", "selection", "wording"), 3),
        **dict.fromkeys(("sweep", "trial_list"), 4),
        **dict.fromkeys(("arguments", "sweep_cache"), 5),
        "intervals": 6,
        **dict.fromkeys(("sequential", "statistics"), 7),
        **dict.fromkeys(("contrast", "kendall", "stopped_units"), 8),
        "differences": 9,
        **dict.fromkeys(("csv_files", "optuna_study"), 10),
        **dict.fromkeys(("audit", "i_epoch", "terminal", "text_table"), 9),
        **dict.fromkeys(("audit_findings", "page", "tickets", "xnn"), 10),
        **dict.fromkeys(("claims", "recommendations"), 11),
        **dict.fromkeys(("figures", "record", "__init__"), 12),
        "html": 13,
        "report": 14,
        "__main__": 15,
    },
}
MAKERS = {"torch.Generator", "torch.manual_seed", "torch.seed", "torch.random.manual_seed"}
DRAWS = {"torch.bernoulli", "torch.multinomial", "torch.normal", "torch.poisson"}
DRAWS |= {f"torch.rand{n}" for n in ("", "int", "n", "perm", "_like", "int_like", "n_like")}
UNSAFE = {"torch.load", "joblib.load", "pandas.read_pickle", "yaml.full_load", "yaml.unsafe_load"}
UNSAFE |= {f"{m}.{n}" for m in ("pickle", "cloudpickle") for n in ("load", "loads", "Unpickler")}
LONGEST = 300
QUESTIONS = {"What", "How", "Whether", "Where", "Who", "Which", "When", "Why", "Can", "Is", "Was"}

Rule = Callable[[Path], Iterator[str]]


def sources(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((root / package).rglob("*.py"))


def parts(root: Path, file: Path) -> list[str]:
    return list(file.relative_to(root).with_suffix("").parts)


def imports(root: Path, file: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything ``file`` imports, wherever in it."""
    home = parts(root, file)[:-1]
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(home, "." * node.level + (node.module or ""))
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
    for call, name in calls(tree):
        if name in {"importlib.import_module", "__import__"}:
            given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "name")]
            for text in (g.value for g in given if isinstance(g, ast.Constant)):
                yield call.lineno, absolute(home, str(text))


def absolute(home: list[str], name: str) -> str:
    """``name`` seen from the package ``home``, its leading dots resolved."""
    bare = name.lstrip(".")
    ups = len(name) - len(bare)
    return ".".join([*home[: len(home) - ups + 1], bare] if ups else [bare]).rstrip(".")


def calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with its dotted name, as if nothing were imported under another name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({a.asname: a.name for a in node.names if a.asname})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            head, dot, rest = ast.unparse(node.func).partition(".")
            yield node, names.get(head, head) + dot + rest


def borders(root: Path) -> Iterator[str]:
    for file in sources(root):
        package, *inner = parts(root, file)
        for line, name in imports(root, file):
            top = name.partition(".")[0]
            if top == "pandas" and inner[:2] == ["insurance", "data"]:
                continue
            # Results of a sweep, loaded when its user asks for them.
            if [package, *inner] == ["sweeps", "outcome"] and top in ("analysis", "pandas"):
                continue
            if f"{name}.".startswith(MAY_IMPORT.get(package, ())):
                continue
            if top in NEVER[package] | OURS - {package}:
                yield f"{file.relative_to(root)}:{line}: {package} never imports {top}"


def layers(root: Path) -> Iterator[str]:
    for file in sources(root):
        package, unit, *_ = parts(root, file)
        if package not in LAYERS:
            continue
        heights = LAYERS[package]
        if unit not in heights:
            yield f"{file.relative_to(root)}: {unit} has no place in LAYERS; give it one"
            continue
        for line, name in imports(root, file):
            top, _, rest = name.partition(".")
            target = rest.partition(".")[0] or "__init__"
            if top != package or target == unit:
                continue
            above = heights.get(target, heights["__init__"]) >= heights[unit]
            if above and not heights.get(target, 1) == heights[unit] == 0:
                yield f"{file.relative_to(root)}:{line}: {unit} imports {target}, not below it"


def circles(root: Path) -> Iterator[str]:
    """Modules that import each other, by whatever detour."""
    files = {".".join(parts(root, file)).removesuffix(".__init__"): file for file in sources(root)}

    def module(name: str) -> str | None:
        """The module that ``name`` is, or is a part of."""
        return (
            name if name in files else next(iter({name.rpartition(".")[0]} & files.keys()), None)
        )

    graph = {
        name: {m for _, target in imports(root, file) if (m := module(target)) and m != name}
        for name, file in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        first, *others = error.args[1]
        yield f"{files[first].relative_to(root)}: in a circle with {', '.join(others)}"


def experiments(root: Path) -> Iterator[str]:
    """A sweep knows its experiments by their border alone, and layouts to open a bundle by."""
    for file in sorted((root / "sweeps").rglob("*.py")):
        if parts(root, file) == ["sweeps", "experiments"]:
            continue
        for line, name in imports(root, file):
            one = re.match(r"hedgecore\.(hedging|insurance)\b(?!\.deployment\.)", name)
            if one:
                yield f"{file.relative_to(root)}:{line}: imports {name}, use sweeps.experiments"


def randomness(root: Path) -> Iterator[str]:
    for file in sources(root):
        if parts(root, file) == ["hedgecore", "rng"]:
            continue
        for node, name in calls(ast.parse(file.read_text())):
            made = name in MAKERS or re.match(
                r"(numpy\.random|random|torch\.cuda\.manual)\b", name
            )
            drawn = name in DRAWS and "generator" not in {k.arg for k in node.keywords}
            if made or drawn:
                yield f"{file.relative_to(root)}:{node.lineno}: {name}(...), use hedgecore.rng"


def deserialisers(root: Path) -> Iterator[str]:
    for file in sources(root):
        tree = ast.parse(file.read_text())
        classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
        heirs = {c.name for c in classes if any(map(safe_loader, c.bases))}
        for node, name in calls(tree):
            keywords = {k.arg: k.value for k in node.keywords}
            loaders = [*node.args[1:], *(v for k, v in keywords.items() if k == "Loader")]
            safe = any(safe_loader(n) or ast.unparse(n) in heirs for n in loaders)
            pickled = ast.unparse(keywords.get("allow_pickle", ast.Constant(False))) != "False"
            if name in UNSAFE or pickled or (re.match(r"yaml\.load(_all)?$", name) and not safe):
                yield f"{file.relative_to(root)}:{node.lineno}: {name} can run code from a file"


def safe_loader(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] in {"SafeLoader", "CSafeLoader"}


def accelerators(root: Path) -> Iterator[str]:
    """ "cuda" in code: a name, an attribute or a text that is no docstring."""
    for file in sources(root):
        if parts(root, file) == ["sweeps", "execution", "worker"]:
            continue
        tree = ast.parse(file.read_text())
        documents = {
            id(n.value)
            for n in ast.walk(tree)
            if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)
        }
        for node in ast.walk(tree):
            said = [getattr(node, field, None) for field in ("attr", "id", "arg", "name")]
            if isinstance(node, ast.Constant) and id(node) not in documents:
                said.append(node.value)
            if any(isinstance(s, str) and "cuda" in s.lower() for s in said):
                line = getattr(node, "lineno", 0)
                yield f"{file.relative_to(root)}:{line}: cuda, only sweeps/execution/worker.py"


def lengths(root: Path) -> Iterator[str]:
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*")):
            if file.suffix in {".py", ".yaml"}:
                lines = len(file.read_text().splitlines())
                if lines > LONGEST:
                    yield f"{file.relative_to(root)}: {lines} lines, at most {LONGEST}"


def docstrings(root: Path) -> Iterator[str]:
    """A module's first words are the term that a reader would search for."""
    for file in sources(root):
        text = ast.get_docstring(ast.parse(file.read_text())) or ""
        word = text.partition(" ")[0]
        if word in QUESTIONS:
            yield f"{file.relative_to(root)}:1: begins with {word}; begin with a noun"


RULES = (
    borders,
    docstrings,
    layers,
    circles,
    experiments,
    randomness,
    deserialisers,
    accelerators,
    lengths,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_every_file_keeps_the_rule_of(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


# Participles and pointers, in place of the noun that a reader would search for.
VAGUE = {
    *(
        "known",
        "found",
        "made",
        "told",
        "said",
        "asked",
        "shown",
        "there",
        "own",
        "wanted",
        "lost",
    ),
    *("due", "kept", "held", "seen", "given", "taken", "left", "apart", "rest", "beside"),
}


def bound(root: Path) -> Iterator[str]:
    """Every name that is bound: variables, arguments, functions and classes."""
    for file in sources(root):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.arg):
                yield node.arg
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield node.name


def vague(root: Path) -> float:
    names = list(bound(root))
    return sum(name.lower().strip("_") in VAGUE for name in names) / len(names)


def test_names_are_nouns_of_what_they_hold() -> None:
    assert vague(ROOT) < 0.005


def test_control_vague_names_are_counted(tmp_path: Path) -> None:
    plant(
        tmp_path, "sweeps/a.py", "found = 1\ndef f(known, rows): return [_told for _told in rows]"
    )
    assert vague(tmp_path) == 3 / 5


PLANTED = [
    (borders, "hedgecore/a.py", "import ray"),
    (borders, "hedgecore/a.py", "import optuna.trial as t"),
    (borders, "hedgecore/market/a.py", "from pandas import DataFrame as D"),
    (borders, "hedgecore/insurance/xnn/train.py", "import pandas as pd"),
    (borders, "hedgecore/a.py", "from ..sweeps import run"),
    (borders, "search_spaces/a.py", "def f():\n    from torch import nn"),
    (borders, "search_spaces/a.py", "import hedgecore.rng"),
    (borders, "sweeps/a.py", "try:\n    import matplotlib.pyplot as plt\nexcept ImportError: ..."),
    (borders, "sweeps/a.py", "import importlib\nimportlib.import_module('analysis.load')"),
    (borders, "analysis/a.py", "from importlib import import_module as m, import_module\nm('x')"
     "\nimport_module(name='ray')"),
    (borders, "analysis/a.py", "from importlib import import_module as m\nm('ray.tune')"),
    (borders, "analysis/figures/a.py", "__import__('torch')"),
    (borders, "analysis/a.py", "from sweeps import run"),
    (borders, "sweeps/a.py", "from tests import axioms"),
    (layers, "hedgecore/rng.py", "from hedgecore.market import paths"),
    (layers, "hedgecore/market/a.py", "from ..attacks.balls import Ball"),
    (layers, "hedgecore/market/a.py", "from .. import pruning"),
    (layers, "hedgecore/attacks/a.py", "def f():\n    import hedgecore.hedging.train"),
    (layers, "hedgecore/pruning/a.py", "from hedgecore import hedging as h"),
    (layers, "hedgecore/pruning/a.py", "import hedgecore.attacks.balls as b"),
    (layers, "hedgecore/hedging/a.py", "from importlib import import_module\n"
     "import_module('..insurance', __package__)"),
    (layers, "hedgecore/metrics.py", "from hedgecore.hedging import pnl"),
    (layers, "hedgecore/config.py", "import hedgecore"),
    (layers, "hedgecore/unplaced.py", "x = 1"),
    (layers, "sweeps/unplaced.py", "x = 1"),
    (layers, "sweeps/planning/a.py", "from sweeps.journal import log"),
    (layers, "sweeps/journal/a.py", "def f():\n    import sweeps.scheduling.engine"),
    (layers, "sweeps/execution/a.py", "from sweeps.monitoring.progress import Progress"),
    (layers, "sweeps/inspection/a.py", "from ..monitoring import status"),
    (layers, "sweeps/scheduling/a.py", "from sweeps import run"),
    (layers, "analysis/schema.py", "from analysis.load import load_trials"),
    (layers, "analysis/xnn/a.py", "from analysis.tickets import controls"),
    (layers, "analysis/tickets/a.py", "from analysis import figures"),
    (layers, "analysis/figures/a.py", "from analysis.report import report"),
    (experiments, "sweeps/planning/a.py", "from hedgecore.hedging.study import TicketStudy"),
    (experiments, "sweeps/a.py", "def f():\n    import hedgecore.insurance.xnn.train"),
    (randomness, "hedgecore/a.py", "import torch\ntorch.manual_seed(0)"),
    (randomness, "sweeps/a.py", "import torch as t\ng = t.Generator()"),
    (randomness, "sweeps/rng.py", "from torch import Generator as G\ng = G()"),
    (randomness, "analysis/a.py", "import numpy as np\nnp.random.default_rng(0)"),
    (randomness, "search_spaces/a.py", "from numpy import random as r\nr.seed(1)"),
    (randomness, "sweeps/a.py", "import random\nrandom.shuffle([])"),
    (randomness, "hedgecore/a.py", "import torch\nx = torch.randn(3)"),
    (deserialisers, "sweeps/a.py", "import torch\ntorch.load('x')"),
    (deserialisers, "sweeps/a.py", "from pickle import load as read\nread(open('x'))"),
    (deserialisers, "search_spaces/a.py", "import yaml\nyaml.load('x', Loader=yaml.Loader)"),
    (deserialisers, "search_spaces/a.py", "import yaml as y\ny.load('x')"),
    (deserialisers, "hedgecore/a.py", "import numpy\nnumpy.load('x', allow_pickle=True)"),
    (accelerators, "hedgecore/a.py", "import torch\ntorch.cuda.synchronize()"),
    (accelerators, "sweeps/run.py", "device = 'cuda:0'"),
    (accelerators, "sweeps/run.py", "def f(use_cuda): ..."),
    (docstrings, "analysis/a.py", '"""What the tables say."""'),
    (docstrings, "sweeps/planning/a.py", '"""Who drives a sweep: host and pid."""'),
    (lengths, "analysis/a.py", "x = 1\n" * 301),
    (lengths, "search_spaces/a.yaml", "- 1\n" * 301),
]  # fmt: skip

INNOCENT = {
    "hedgecore/__init__.py": '"""No ray, no cuda, no torch.load here."""',
    "hedgecore/rng.py": "import torch\ng = torch.Generator()",
    "hedgecore/config.py": "from hedgecore.registry import unknown\nfrom . import risk",
    "hedgecore/insurance/data/table.py": "import pandas as pd\nfrom ..market import paths",
    "hedgecore/hedging/train.py": "from .config import A\nfrom hedgecore.attacks import balls\n"
    "import torch\nimport numpy as np\ndef f(g: torch.Generator, h: np.random.Generator):\n"
    "    np.load('x', allow_pickle=False)\n    return torch.randn(2, generator=g), h.normal()",
    "search_spaces/loader.py": "import yaml\nfrom search_spaces import domains\n"
    "from hedgecore.registry import lookup\n"
    "class Strict(yaml.SafeLoader): ...\nyaml.load('x', Loader=Strict)\n"
    "from yaml import CSafeLoader\nyaml.load('x', CSafeLoader)",
    "sweeps/experiments.py": "from hedgecore.hedging import experiment",
    "sweeps/sealing.py": "from hedgecore.hedging.deployment import hedging_network",
    "sweeps/execution/worker.py": "import ray\nimport hedgecore.rng\ndevice = 'cuda'",
    "analysis/load.py": "import pandas\nimport yaml\nyaml.load('x', Loader=yaml.SafeLoader)",
}


def plant(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(("rule", "name", "text"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, name: str, text: str, tmp_path: Path) -> None:
    plant(tmp_path, name, text)
    (found,) = rule(tmp_path)
    assert found.startswith(name)


@pytest.mark.parametrize(
    "files",
    [
        {"sweeps/a.py": "from sweeps import b", "sweeps/b.py": "import sweeps.a"},
        {"analysis/a.py": "from analysis.b import x",
         "analysis/b.py": "def f():\n    from . import a"},
        {"sweeps/a.py": "from sweeps.b.c import x", "sweeps/b/c.py": "from sweeps.b.d import y",
         "sweeps/b/d.py": "from importlib import import_module\n\nimport_module('sweeps.a')"},
    ],
)  # fmt: skip
def test_a_circle_is_found_by_whatever_detour(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        plant(tmp_path, name, text)
    (found,) = circles(tmp_path)
    assert all(name.removesuffix(".py").replace("/", ".") in found for name in [*files][1:])


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_innocent_code_is_left_alone(rule: Rule, tmp_path: Path) -> None:
    for name, text in INNOCENT.items():
        plant(tmp_path, name, text)
    assert list(rule(tmp_path)) == []


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_distribution_lists_every_package_that_holds_modules() -> None:
    held = {".".join(file.relative_to(ROOT).parent.parts) for file in sources(ROOT)}
    patterns = project()["tool"]["setuptools"]["packages"]["find"]["include"]
    assert [name for name in held if not any(fnmatch(name, p) for p in patterns)] == []


def test_constraints_pin_every_direct_dependency_within_its_range() -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if text := line.partition("#")[0].strip():
            (specifier,) = (pinned := Requirement(text)).specifier
            assert specifier.operator == "==", line
            pins[canonicalize_name(pinned.name)] = specifier.version
    table = project()["project"]
    groups = [table["dependencies"], *table["optional-dependencies"].values()]
    for wanted in (Requirement(text) for group in groups for text in group):
        pin = pins.get(canonicalize_name(wanted.name))
        assert pin is not None, f"{wanted.name} is not in constraints.txt"
        assert wanted.specifier.contains(pin), f"constraints.txt has {wanted.name}=={pin}"
