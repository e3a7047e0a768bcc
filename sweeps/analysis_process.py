"""Commands of the analysis, which needs neither Ray nor torch, in a process of its own."""

import os
import subprocess
from pathlib import Path

from sweeps import origin
from sweeps.errors import UsageError


def command(*arguments: str) -> list[str]:
    """Command line of the analysis with these ``arguments``.

    Raises:
        UsageError: the package ``analysis`` that would run is not that of this project.
    """
    try:
        origin.check("analysis")
    except ImportError as error:
        raise UsageError(str(error)) from error
    return [*origin.PYTHON, "-m", "analysis", *arguments]


def model_card(storage: str | Path, trial_id: str, *, source: Path | None = None) -> bytes:
    """Model card (Markdown, UTF-8) of a trial of ``storage``, from its tables.

    Args:
        trial_id: a unique prefix of the trial's id.
        source: C file that the card lies beside; None for that of a bundle.
    Raises:
        UsageError: the tables have no such trial, or cannot be read.
    """
    options = [f"--source={source.name}"] if source else []
    arguments = ("card", *options, "--", str(storage), trial_id)
    encoding = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(command(*arguments), capture_output=True, env=encoding)
    except OSError as error:
        raise UsageError(
            f"no model card: {error.filename} cannot be started ({error.strerror}); make it "
            "executable for this user"
        ) from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise UsageError(f"no model card: {lines[-1].removeprefix('error: ')}")
    return done.stdout
