"""Data files of a sweep, read where its driver runs, so that no other node needs them."""

from pathlib import Path

from sweeps.errors import PreparationError
from sweeps.planning.plan import Plan
from sweeps.text import first_line


def read_data_files(plan: Plan) -> dict[str, bytes]:
    """Content of every file that a preparation of ``plan`` reads, by path.

    Raises:
        PreparationError: a file cannot be read.
    """
    contents: dict[str, bytes] = {}
    for key in plan.preparations:
        for path in data_files(plan, key):
            if path not in contents:
                try:
                    contents[path] = Path(path).read_bytes()
                except OSError as error:
                    raise PreparationError(
                        f"{key}: {path} cannot be read ({first_line(error)}); fix that, and run "
                        "the same command again"
                    ) from error
    return contents


def data_files(plan: Plan, key: str) -> list[str]:
    """Paths of the files that the preparation ``key`` reads; none if it adds to another."""
    if plan.base(key) is not None:
        return []
    return list(plan.experiment.data_files(plan.preparations[key].study))
