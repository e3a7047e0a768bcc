"""Text of ``hedgesweep simulate``: the schedule by number of workers, and the rules compared."""

from collections.abc import Sequence
from pathlib import Path

from sweeps.errors import UsageError
from sweeps.simulation import rivals
from sweeps.simulation.curves import source
from sweeps.simulation.rivals import description
from sweeps.simulation.simulate import Simulation, graham, simulate
from sweeps.text import duration


def command(
    place: Path | str,
    workers: Sequence[int] = (1, 8, 500),
    *,
    trials: int | None = None,
    stock: bool = False,
) -> list[str]:
    """Tables as text: one line per number of ``workers``, and one per rule of stopping.

    Args:
        place: a storage, a YAML file or the name of a shipped space; see :func:`source`.
        trials: how many; None for all.
        stock: compare with Ray's own ``ASHAScheduler``.
    Raises:
        SpaceError: something is wrong with the space.
        UsageError: there is nothing to simulate in ``place``, or ``workers`` is invalid.
    """
    if not workers or min(workers) < 1:
        raise UsageError(f"workers must be at least 1, got {list(workers)}")
    curve_source = source(place, trials=trials)
    one = simulate(curve_source.curves, curve_source.rule, workers=1)
    path = simulate(
        curve_source.curves, curve_source.rule, workers=len(curve_source.curves)
    ).makespan
    table = [[*_HEADER, *(["against stock", "its epochs"] if stock else [])]]
    for count in workers:
        run = simulate(curve_source.curves, curve_source.rule, workers=count)
        line = _line(run, one, path)
        if stock:
            rival = simulate(curve_source.curves, curve_source.rule, workers=count, stock=True)
            line += [_ratio(run.makespan, rival.makespan, ".2f"), f"{rival.epochs:,}"]
        table.append(line)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    extension_note = f"trained beyond their record, their last values held: {len(one.extended)}"
    return [
        curve_source.about,
        description(curve_source.rule),
        *(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in table
        ),
        *([extension_note] if one.extended else []),
        "",
        *rivals.table(curve_source.curves, curve_source.rule, workers),
    ]


_HEADER = (
    *("workers", "makespan", "bound", "speed-up", "busy", "epochs", "finish", "parked"),
    "as 1 worker",
)


def _line(run: Simulation, one: Simulation, critical_path: float) -> list[str]:
    return [
        f"{run.workers:,}",
        duration(run.makespan),
        duration(graham(run, critical_path=critical_path)),
        _ratio(one.makespan, run.makespan, ".1f"),
        f"{run.busy:.0%}",
        *(f"{count:,}" for count in (run.epochs, len(run.finishers), run.parked)),
        "yes" if run.decisions == one.decisions else "NO",
    ]


def _ratio(a: float, b: float, form: str) -> str:
    return f"{a / b:{form}}" if b else "-"
