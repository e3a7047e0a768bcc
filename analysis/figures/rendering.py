"""Figures drawn and written as PNG and PDF, each one step of a plan."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis.figures.file_names import file_name
from analysis.figures.style import RC, NothingToDraw
from analysis.files import write

# Without dates and versions, equal data give equal bytes.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_DPI = 200
MOST_PROBLEMS = 6
_SIZE = (8.4, 5.4)
Plan = tuple[str, tuple[float, float], Callable[[Figure], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Files written, and for each figure left out a line that says why."""

    written: tuple[Path, ...]
    skipped: tuple[str, ...]


def render(draw: Callable[[Axes], None], *, size: tuple[float, float] = _SIZE) -> Figure:
    """A figure in the house style whose one Axes ``draw`` has filled; ``size`` in inches."""
    return panels(lambda figure: draw(figure.add_subplot()), size=size)


def panels(draw: Callable[[Figure], None], *, size: tuple[float, float]) -> Figure:
    """A figure in the house style that ``draw`` has filled; ``size`` in inches."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
        FigureCanvasAgg(figure)
        draw(figure)
        return figure


def alone(name: str, draw: Callable[[Axes], None]) -> Plan:
    """The plan of a figure with one Axes, which ``draw`` fills."""
    return name, _SIZE, lambda figure: draw(figure.add_subplot())


def draw_plans(folder: Path, plans: Sequence[Plan], *, of: str = "") -> Saved:
    """Writes the figure of every plan; one that has nothing to draw is a line that says why.

    Args:
        folder: of the report.
        plans: to draw.
        of: the problem, where there are several.
    Raises:
        StorageError: ``folder`` cannot be written.
    """
    written: list[Path] = []
    skipped: list[str] = []
    for name, size, draw in plans:
        try:
            figure = panels(draw, size=size)
        except NothingToDraw as reason:
            skipped.append(f"{name}: {reason}")
            continue
        written += figure_files(folder, figure_place(name, of), figure)
    return Saved(written=tuple(written), skipped=tuple(skipped))


def figure_place(name: str, problem: str) -> str:
    """Where a figure lies in the folder of the report."""
    return "/".join(filter(None, ("figures", file_name(problem), name)))


def figure_files(folder: Path, name: str, figure: Figure) -> list[Path]:
    """``figure`` as every kind of file."""
    written = []
    for kind, metadata in _METADATA.items():
        buffer = io.BytesIO()
        with mpl.rc_context(RC):
            figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
        written.append(write(folder, f"{name}.{kind}", buffer.getvalue()))
    return written
