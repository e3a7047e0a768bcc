"""Commands on the models of a storage: ``export-model``."""

import shlex
from pathlib import Path

import click

from sweeps.options import storage_argument, trial_argument
from sweeps.text import echo


@click.command("export-model")
@storage_argument
@trial_argument()
@click.option(
    "--out",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="C file to write, a new one.",
)
def export_command(storage: Path, trial_id: str, out: Path) -> None:
    """Write the hedge of one trial of STORAGE as a C file, and its model card beside it.

    The C file needs neither Python nor libraries.

    Example: hedgesweep export-model results/tickets 1f3a --out hedge.c
    """
    from sweeps.inspection.export import card_path, export_model

    export_model(storage, trial_id, out=out)
    echo(f"model card in {card_path(out)}")
    target = shlex.quote(str(out.with_suffix(".o")))
    echo(f"hedge_position in {out}: next, cc -std=c99 -O3 -c {shlex.quote(str(out))} -o {target}")


COMMANDS = (export_command,)
