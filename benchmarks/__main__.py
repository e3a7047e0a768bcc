"""All speed figures, one after another: benchmarks/results.json and results.md.

``python -m benchmarks [NAME ..]`` from the root of the repository, or ``make bench``, measures all
or those of the modules given by name, and keeps the results of the others.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, print_figures

HERE = Path(__file__).resolve().parent
RESULTS, PAGE = HERE / "results.json", HERE / "results.md"
DOCS = (HERE.parent / "README.md", *sorted((HERE.parent / "docs").glob("*.md")))
MODULES = {
    "whole_sweep": "whole_sweep",
    "kernel": "measure",
    "inference": "measure",
    "attack_cost": "attack_cost",
    "xnn_epochs": "measure",
    "heston_paths": "heston_paths",
    "distances": "distances",
    "overhead": "overhead",
    "simulated_slots": "simulated_slots",
    "growth": "growth",
    "proposals": "proposals",
    "simulation": "simulation",
    "loading": "loading",
}
"""Modules of this package and their functions, in the order of the page."""
LATER = "not yet measured"
"""In place of a figure of a module without results."""
PACKAGES = ("torch", "numpy", "ray", "pandas", "pyarrow", "pfhedge")

Measure = Callable[[], Mapping[str, Figure]]


def machine() -> dict[str, str]:
    """Processor, cores, kernel and versions."""
    from hedgecore.arithmetic import arithmetic

    lines = Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": next(iter(models), platform.processor()),
        "instructions": arithmetic().cpu,
        "cores": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def record(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """All results after each of ``names`` is measured anew."""
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results: dict[str, Any] = {name: stored.get(name, {}) for name in MODULES}
    for name in names:
        measure: Measure = getattr(import_module(f"benchmarks.{name}"), MODULES[name])
        figures = measure()
        print_figures(figures)
        results[name] = {"machine": machine(), "figures": figures}
        yield results


def page(results: Mapping[str, Any]) -> str:
    """All results as Markdown."""
    lines = ["# Speed", "", "Medians of alternated runs; written by `make bench`.", ""]
    for name, result in results.items():
        if result:
            lines += [f"## {name.replace('_', ' ')}", "", table(result), ""]
    return "\n".join(lines)


def table(result: Mapping[str, Any]) -> str:
    """Machine and figures of one module as Markdown."""
    about = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    lines = [f"{about}:", "", "| | ratio | target | ours | other |", "|---|---|---|---|---|"]
    for key, one in result["figures"].items():
        cells = [key, f"{one['ratio']:.3g}", f"≥ {one['target']:.3g}"]
        cells += [f"{one[side]:.3g} {one['unit']}" for side in ("ours", "other")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_figures(text: str, results: Mapping[str, Any]) -> str:
    """``text`` with all its figures as ``results`` give them.

    A block ``<!-- bench NAME -->`` is the table of a module. ``<!-- bench NAME: FIGURE, PART -->``
    within a line is one number: the ``ratio``, ``ours`` or ``other`` of a figure.

    Raises:
        KeyError: the results of the module lack that figure.
    """

    def number(match: re.Match[str]) -> str:
        _, name, key, part, _ = match.groups()
        return f"{match[1]}{_number(results.get(name), key, part)}{match[5]}"

    def block(match: re.Match[str]) -> str:
        result = results.get(match[2])
        return f"{match[1]}\n{table(result) if result else LATER}\n{match[3]}"

    text = re.sub(r"(?s)(<!-- bench (\w+) -->)\n.*?(<!-- /bench -->)", block, text)
    one = r"(<!-- bench (\w+): ([^>]+), (ratio|ours|other) -->)[^<]*(<!-- /bench -->)"
    return re.sub(one, number, text)


def _number(result: Mapping[str, Any] | None, key: str, part: str) -> str:
    """One number with its unit; words as long as the module has no results."""
    if not result:
        return LATER
    figure = result["figures"][key]
    unit = "" if part == "ratio" else f" {figure['unit']}"
    return f"{figure[part]:.3g}{unit}"


def main() -> None:
    """Measure, and write results, page and documents after every module."""
    for results in record(sys.argv[1:] or MODULES):
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(page(results))
        for path in DOCS:
            path.write_text(with_figures(path.read_text(), results))


if __name__ == "__main__":
    main()
