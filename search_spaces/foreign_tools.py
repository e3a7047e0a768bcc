"""Sweep files of other tools: recognised by their keys, with their axes as they are written there.

The formats are those of the tools' documentation: a sweep configuration of Weights & Biases, a
``param_space`` of Ray Tune, the sweeper of Hydra, an Experiment of Katib, an experiment of
Determined AI, and of NNI.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from search_spaces import calls
from search_spaces.foreign_spellings import scalar

Tree = Mapping[str, object]

_MOST_LEVELS = 8
_TUNE = re.compile(r"(ray\.)?tune\.\w+\(.*\)", re.DOTALL)
_TUNE_DOMAIN = ("grid_search", "choice", "uniform", "loguniform", "randint", "quniform")
_NO_RANGE = re.compile("normal|beta|poisson|sample_from", re.IGNORECASE)
"""Distributions that no domain of a space stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSweep:
    """Sweep of another tool.

    Args:
        tool: its name.
        axes: domains by name, as :func:`.foreign_spellings.suggestion` reads them; None for one
            without an equivalent.
        algorithm: name of its search algorithm; "" if the file has none.
        count: number of trials; None if the file has none.
    """

    tool: str
    axes: Mapping[str, object] = field(default_factory=dict)
    algorithm: str = ""
    count: object = None


def recognised(tree: Tree) -> ForeignSweep | None:
    """Sweep that the file ``tree`` describes; None if it is of none of the tools."""
    sweeps = (read(tree) for read in _TOOLS)
    return next((sweep for sweep in sweeps if sweep), None)


def _wandb(tree: Tree) -> ForeignSweep | None:
    parameters = tree.get("parameters")
    signs = ("method", "program", "metric", "early_terminate", "command", "run_cap")
    if not isinstance(parameters, Mapping) or not any(sign in tree for sign in signs):
        return None
    axes: dict[str, object] = {}
    for name, entry in _flat(parameters, inner=("parameters",), is_axis=_is_wandb_axis):
        axes[name] = entry
        ends = [scalar(entry.get(end)) for end in ("min", "max")]
        if str(entry.get("distribution")) in ("log_uniform", "q_log_uniform"):
            axes[name] = _powers(math.e, *ends)  # its ends are natural logarithms
    return ForeignSweep(
        tool="Weights & Biases",
        axes=axes,
        algorithm=_text(tree.get("method")),
        count=tree.get("run_cap"),
    )


def _ray(tree: Tree) -> ForeignSweep | None:
    settings = tree
    if len(tree) == 1 and isinstance(only := next(iter(tree.values())), Mapping):
        # The older form: name: {run: .., config: .., num_samples: ..}.
        settings = only if isinstance(only.get("config"), Mapping) else tree
    space = next((settings[k] for k in ("param_space", "config") if k in settings), settings)
    if not isinstance(space, Mapping):
        return None
    own = ("tune_config", "run_config", "scaling_config", "stop", "search_alg", "scheduler")
    values = {name: value for name, value in space.items() if name not in own}
    axes = dict(_flat(values, is_axis=_is_tune_axis))
    named = any(key in tree for key in ("param_space", "tune_config"))
    if not named and not any(_is_tunes_own(value) for value in axes.values()):
        return None
    tuner = settings.get("tune_config")
    options = {**settings, **(tuner if isinstance(tuner, Mapping) else {})}
    return ForeignSweep(
        tool="Ray Tune",
        axes=axes,
        algorithm=_text(options.get("search_alg")),
        count=options.get("num_samples"),
    )


def _hydra(tree: Tree) -> ForeignSweep | None:
    hydra, defaults = tree.get("hydra"), tree.get("defaults")
    chosen = [
        _text(value)
        for item in (defaults if isinstance(defaults, list) else [])
        if isinstance(item, Mapping)
        for name, value in item.items()
        if name.endswith("hydra/sweeper")
    ]
    sweeper = hydra.get("sweeper") if isinstance(hydra, Mapping) else None
    if not chosen and not isinstance(sweeper, Mapping):
        return None
    settings: Tree = sweeper if isinstance(sweeper, Mapping) else {}
    axes: dict[str, object] = {}
    for path in ("params", "search_space", "ax_config.params", "parametrization"):
        entries = _at(settings, path)
        for name, value in entries.items() if isinstance(entries, Mapping) else ():
            axes[name.lstrip("+~")] = _tagged(value) if isinstance(value, str) else value
    sampler = _text(_at(settings, "sampler._target_")).rpartition(".")[2]
    trials = ("n_trials", "ax_config.max_trials", "optim.budget")
    return ForeignSweep(
        tool="Hydra",
        axes=axes,
        algorithm=sampler or next(iter(chosen), "").removeprefix("basic"),
        count=next((n for path in trials if (n := _at(settings, path)) is not None), None),
    )


def _katib(tree: Tree) -> ForeignSweep | None:
    spec = tree.get("spec")
    if not isinstance(spec, Mapping) or not _text(tree.get("apiVersion")).startswith("kubeflow."):
        return None
    algorithm = _text(_at(spec, "algorithm.algorithmName"))
    axes: dict[str, object] = {}
    parameters = spec.get("parameters")
    for entry in parameters if isinstance(parameters, list) else ():
        if isinstance(entry, Mapping) and isinstance(name := entry.get("name"), str):
            feasible = entry.get("feasibleSpace")
            space = feasible if isinstance(feasible, Mapping) else {}
            axes[name.lstrip("-")] = _feasible(entry.get("parameterType"), space)
    return ForeignSweep(
        tool="Katib", axes=axes, algorithm=algorithm, count=spec.get("maxTrialCount")
    )


def _determined(tree: Tree) -> ForeignSweep | None:
    parameters, searcher = tree.get("hyperparameters"), tree.get("searcher")
    if not isinstance(parameters, Mapping) or not {"searcher", "entrypoint"} & tree.keys():
        return None
    settings = searcher if isinstance(searcher, Mapping) else {}
    axes: dict[str, object] = {}
    for name, entry in _flat(parameters, is_axis=lambda node: isinstance(node.get("type"), str)):
        kind, ends = entry["type"], [scalar(entry.get(end)) for end in ("minval", "maxval")]
        if kind == "categorical":
            axes[name] = entry.get("vals")
        elif kind == "log":
            axes[name] = _powers(scalar(entry.get("base", 10)), *ends)
        elif kind == "int":
            axes[name] = {"type": "int", "min": ends[0], "max": ends[1]}
        elif kind == "double":
            axes[name] = {"type": "double", "min": ends[0], "max": ends[1]}
    algorithm = _text(settings.get("name"))
    return ForeignSweep(
        tool="Determined AI",
        axes=axes,
        algorithm="random" if "asha" in algorithm else algorithm,
        count=settings.get("max_trials"),
    )


def _nni(tree: Tree) -> ForeignSweep | None:
    space = tree.get("searchSpace")
    if not isinstance(space, Mapping) or not {"trialCommand", "tuner"} & tree.keys():
        return None
    return ForeignSweep(
        tool="NNI",
        axes=dict(_flat(space, is_axis=lambda node: "_type" in node)),
        algorithm=_text(_at(tree, "tuner.name")),
        count=tree.get("maxTrialNumber"),
    )


def _flat(
    tree: Tree,
    *,
    is_axis: Callable[[Tree], bool],
    inner: tuple[str, ...] = (),
    prefix: str = "",
    levels: int = _MOST_LEVELS,
) -> Iterator[tuple[str, Tree]]:
    """Axes by dotted name, at any depth; ``inner`` are keys that hold more of them."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, str) and is_axis({"": value}):
            yield name, {"": value}
        elif isinstance(value, Mapping) and is_axis(value):
            yield name, value
        elif isinstance(value, Mapping) and levels:
            below = next((value[k] for k in inner if isinstance(value.get(k), Mapping)), value)
            if isinstance(below, Mapping):
                yield from _flat(
                    below, is_axis=is_axis, inner=inner, prefix=f"{name}.", levels=levels - 1
                )


def _is_wandb_axis(node: Tree) -> bool:
    return bool({"values", "value", "min", "max", "distribution"} & node.keys())


def _is_tune_axis(node: Tree) -> bool:
    return _is_tunes_own(node) or (len(node) == 1 and next(iter(node)) in _TUNE_DOMAIN)


def _is_tunes_own(node: object) -> bool:
    if not isinstance(node, Mapping):
        return False
    text = node.get("")
    return "grid_search" in node or (isinstance(text, str) and bool(_TUNE.fullmatch(text.strip())))


def _feasible(kind: object, space: Tree) -> object:
    """Domain of a parameter of Katib, whose numbers are texts."""
    if isinstance(listed := space.get("list"), list):
        return listed
    low, high, step = (scalar(space.get(name)) for name in ("min", "max", "step"))
    if isinstance(low, int | float) and isinstance(high, int | float):
        if isinstance(step, int | float) and 0 < step <= (high - low):
            steps = min(math.floor((high - low) / step + 1e-9), calls.MOST_LISTED - 1)
            return [float(f"{low + i * step:.10g}") if kind != "int" else low + i * step
                    for i in range(steps + 1)]  # fmt: skip
        described = f"{kind} {_text(space.get('distribution'))}"
        return {"type": described, "min": low, "max": high}
    return None


def _powers(base: object, low: object, high: object) -> object:
    numbers = [n for n in (base, low, high) if isinstance(n, int | float)]
    try:
        base, low, high = (float(n) for n in numbers)
        return {"loguniform": [float(f"{base**n:.6g}") for n in (low, high)]}
    except (ValueError, OverflowError):  # a text, or too large
        return None


def _tagged(text: str) -> object:
    """Range of Hydra's Optuna sweeper, such as ``tag(log, interval(1, 10))``."""
    match = re.fullmatch(r"\s*tag\((.*)\)\s*", text, re.DOTALL)
    parsed = calls.arguments(match[1]) if match and len(text) < 1000 else None
    if parsed is None or not parsed[0]:
        return text
    *tags, last = parsed[0]
    inner = calls.arguments(last[len("interval(") : -1]) if isinstance(last, str) else None
    if "log" in tags and str(last).startswith("interval(") and inner:
        return {"loguniform": inner[0]}
    return last


def _at(tree: object, path: str) -> object:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def has_range(domain: object) -> bool:
    """False for a distribution without ends, such as a normal one."""
    texts = domain.values() if isinstance(domain, Mapping) else [domain]
    return not any(isinstance(text, str) and _NO_RANGE.search(text) for text in texts)


_TOOLS = (_katib, _determined, _nni, _wandb, _hydra, _ray)
