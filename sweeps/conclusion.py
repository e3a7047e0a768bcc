"""End of a sweep on the command line: counts, the next step, problems, and the exit status."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sweeps import standard_output
from sweeps.next_command import next_command
from sweeps.text import duration, echo

if TYPE_CHECKING:  # its plan imports torch, for which most commands need not wait
    from sweeps.outcome import Sweep


def conclude(sweep: "Sweep", storage: str | Path) -> NoReturn:
    """Print how ``sweep`` ended, and exit with its status."""
    counts = ", ".join(f"{n} {status}" for status, n in sorted(sweep.counts.items()))
    with suppress(OSError):  # results are recorded, even if stdout is closed
        echo(f"{counts} in {duration(sweep.seconds)}")
        echo(f"results in {storage}; {next_command(storage, sweep.counts)}")
        if not sweep.within_budget:
            echo(
                "the budget is used up: run the same command again for the "
                f"{sweep.unfinished} left"
            )
        for problem in sweep.problems():
            echo(f"error: {problem}", err=True)
        sys.exit(sweep.exit_status)
    standard_output.discard()
    sys.exit(sweep.exit_status)
