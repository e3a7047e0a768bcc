"""Arguments and options that several commands take."""

import os
from pathlib import Path

import click

space_argument = click.argument("space", type=click.Path(path_type=Path))
storage_argument = click.argument("storage", type=click.Path(path_type=Path))
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a value by its dotted key, such as study.training.epochs=20. Repeatable.",
)
cpus_option = click.option(
    "--cpus",
    type=click.FloatRange(min=0, min_open=True),
    default=float(os.cpu_count() or 1),
    show_default="those of this machine",
    help="CPUs that are planned and paid for.",
)
rate_option = click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Price of a CPU-hour."
)
