"""Drawing of figures from plans, and writing as PNG and PDF; as SVG for a page."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from fontTools import subset  # of Matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from analysis.figures.file_names import file_name
from analysis.figures.style import RC, NothingToDraw, headed, noted
from analysis.files import write
from analysis.processes import in_processes
from analysis.sweep import Problem, Sweep

# Without dates and versions, equal data give equal bytes.
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_SVG: dict[str, None] = {"Date": None, "Creator": None, "Format": None, "Type": None}
_DPI = 200
_PAGE_DPI = 150  # of images in an SVG, which a page shows smaller
# Tables for the shaping of text, which a PDF does not use: a third of the time of a figure.
_SHAPING = ["GSUB", "GPOS", "GDEF", "kern"]
subset.Options._drop_tables_default = [*subset.Options._drop_tables_default, *_SHAPING]
MOST_PROBLEMS = 6
_SIZE = (8.4, 5.4)
Plan = tuple[str, tuple[float, float], Callable[[Figure], None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure as SVG; ``name`` is its path in the folder of figures, without a suffix."""

    name: str
    svg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Files written, their figures for a page, and a line per skipped figure with the reason."""

    written: tuple[Path, ...] = ()
    skipped: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def __add__(self, other: "Saved") -> "Saved":
        return Saved(
            written=self.written + other.written,
            skipped=self.skipped + other.skipped,
            pictures=self.pictures + other.pictures,
        )


def render(draw: Callable[[Axes], None], *, size: tuple[float, float] = _SIZE) -> Figure:
    """Figure in the house style with one Axes drawn by ``draw``; ``size`` in inches."""
    return panels(lambda figure: draw(figure.add_subplot()), size=size)


def panels(draw: Callable[[Figure], None], *, size: tuple[float, float]) -> Figure:
    """Figure in the house style drawn by ``draw``; ``size`` in inches."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12))
        FigureCanvasAgg(figure)
        draw(figure)
        return figure


def alone(name: str, draw: Callable[[Axes], None], *, size: tuple[float, float] = _SIZE) -> Plan:
    """Plan of a figure with one Axes, drawn by ``draw``."""
    return name, size, lambda figure: draw(figure.add_subplot())


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Plans of figures in one folder, with what all of them have in common.

    Args:
        plans: to draw.
        of: the problem, if there are several.
        heading: a line below the title of every figure.
        note: a line at the end of every caption.
        skipped: lines on figures without a plan.
    """

    plans: Sequence[Plan] = ()
    of: str = ""
    heading: str = ""
    note: str = ""
    skipped: Sequence[str] = ()

    def draw(self, folder: Path, plan: Plan) -> Saved:
        """Files of one figure; a line with the reason if there is nothing to draw."""
        name, size, draw = plan
        try:
            figure = panels(draw, size=size)
        except NothingToDraw as reason:
            return Saved(skipped=(self._line(f"{name}: {reason}"),))
        if self.heading:
            headed(figure, f"{figure.get_suptitle()}\n{self.heading}")
        if self.note:
            noted(figure, [self.note])
        place = "/".join(filter(None, (file_name(self.of), name)))
        files = figure_files(folder, f"figures/{place}", figure)
        return Saved(written=tuple(files), pictures=(Picture(name=place, svg=svg_text(figure)),))

    def without_plan(self) -> Saved:
        """Lines on figures without a plan."""
        return Saved(skipped=tuple(map(self._line, self.skipped)))

    def _line(self, text: str) -> str:
        return f"{self.of}: {text}" if self.of else text


def problem_batches(
    sweep: Sweep, batch: Callable[[Problem], Batch], *, cure: str = ""
) -> list[Batch]:
    """``batch`` of each problem, at most 6; ``cure`` is advice for the others."""
    batches = [batch(problem) for problem in sweep.problems[:MOST_PROBLEMS]]
    if (number := len(sweep.problems)) > MOST_PROBLEMS:
        batches.append(Batch(skipped=(f"{number} problems, drawn for {MOST_PROBLEMS}{cure}",)))
    return batches


def draw_batches(folder: str | Path, batches: Sequence[Batch]) -> Saved:
    """Draw and write the figures of all ``batches``; skip those with nothing to draw.

    Raises:
        StorageError: ``folder`` cannot be written.
    """
    tasks = [(batch, plan) for batch in batches for plan in batch.plans]
    # The largest first, so that no process is left with one of them at the end.
    order = sorted(range(len(tasks)), key=lambda task: -math.prod(tasks[task][1][1]))

    def saved(task: int) -> Saved:
        batch, plan = tasks[task]
        return batch.draw(Path(folder), plan)

    by_task = dict(zip(order, in_processes(saved, order), strict=True))
    figures = iter(range(len(tasks)))
    total = Saved()
    for batch in batches:
        total += batch.without_plan()
        total = sum((by_task[next(figures)] for _ in batch.plans), total)
    return total


def figure_files(folder: Path, name: str, figure: Figure) -> list[Path]:
    """Files of ``figure``, one per format."""
    _lay_out(figure)
    written = []
    for kind, metadata in _METADATA.items():
        buffer = io.BytesIO()
        with mpl.rc_context(RC):
            figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
        written.append(write(folder, f"{name}.{kind}", buffer.getvalue()))
    return written


def svg_text(figure: Figure) -> str:
    """``figure`` as SVG, with texts as texts."""
    _lay_out(figure)
    buffer = io.StringIO()
    with mpl.rc_context({**RC, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", dpi=_PAGE_DPI, metadata=_SVG)
    return buffer.getvalue()


def _lay_out(figure: Figure) -> None:
    """Place the axes of ``figure`` as in its PNG, once for all formats.

    Otherwise ``savefig`` lays out the figure for every format, by the slightly different widths
    that texts have there.
    """
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        with mpl.rc_context(RC):
            dpi, figure.dpi = figure.dpi, _DPI
            engine.execute(figure)
            figure.dpi = dpi
            # None, since Matplotlib draws a figure with any other engine twice.
            figure.set_layout_engine(None)
