"""Figures of the study, each with the digest of the table that it is drawn from."""

import io
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.figures import cvar_against_remaining, panels, render
from analysis.figures.style import RC
from analysis.figures.xnn.featured import featured
from analysis.figures.xnn.heat_map import heat_map, of_method, size_of_heat_map
from analysis.figures.xnn.tradeoff import competitors, pareto
from analysis.files import write
from analysis.sweep import Sweep
from benchmarks.study.sweeps import Study

SOURCE = "Source"
"""Text field of a PNG file: sha256 of the table of trials behind the figure."""
_WIDE = (10.0, 5.6)
_DPI = 150


def drawn(study: Study) -> Iterator[tuple[str, str, Figure]]:
    """Name of every figure, the sha256 of its table, and the figure."""
    tickets, xnn = study.tickets, study.xnn
    (problem,) = Sweep.of(tickets.sweep).problems
    yield (
        "cvar_against_remaining",
        tickets.sha256,
        render(lambda ax: cvar_against_remaining(problem, ax)),
    )
    subject = featured(xnn.sweep)
    rivals = competitors(xnn.sweep.manifest)
    yield (
        "xnn_pareto",
        xnn.sha256,
        panels(lambda f: pareto(f.add_subplot(), subject=subject, rivals=rivals), size=_WIDE),
    )
    method = str(subject.cell["method"])
    cells = of_method(subject.table, method)
    yield (
        "xnn_heat_map",
        xnn.sha256,
        panels(
            lambda f: heat_map(cells, f, subject=subject, method=method),
            size=size_of_heat_map(cells),
        ),
    )


def save(study: Study, folder: Path) -> None:
    """Write every figure to ``folder`` as PNG."""
    for name, digest, figure in drawn(study):
        buffer = io.BytesIO()
        with mpl.rc_context(RC):
            figure.savefig(
                buffer, format="png", dpi=_DPI, metadata={"Software": None, SOURCE: digest}
            )
        write(folder, f"{name}.png", buffer.getvalue())
