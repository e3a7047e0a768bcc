"""Commands of the analysis, which needs neither Ray nor torch, in a process of its own."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from sweeps import origin
from sweeps.errors import UsageError

_PATIENCE = 5.0  # seconds for an interrupted command to remove its partial files


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


def exit_status(name: str, *arguments: str, inputs: Mapping[str, Callable[[], Any]]) -> int:
    """Exit status of the command ``name``, which runs while its ``inputs`` are computed.

    Each input is a file option of the command. It is computed in the order given and reaches the
    command as JSON through a pipe, at which the command waits once it needs it.

    Raises:
        UsageError: see :func:`command`.
        Exception: what the computation of an input raises, after the command was ended.
    """
    with ExitStack() as stack:
        ends: dict[str, tuple[int, Any]] = {}
        for option in inputs:
            reader, writer = os.pipe()
            ends[option] = reader, stack.enter_context(open(writer, "wb"))
        readers = [reader for reader, _ in ends.values()]
        try:
            options = [f"--{option}=/dev/fd/{reader}" for option, (reader, _) in ends.items()]
            process = subprocess.Popen(command(name, *options, *arguments), pass_fds=readers)
        finally:
            for reader in readers:
                os.close(reader)
        try:
            for option, compute in inputs.items():
                if process.poll() is not None:
                    break
                content = json.dumps(compute()).encode()
                # The command may end without its inputs.
                with suppress(BrokenPipeError), ends[option][1] as writer:
                    writer.write(content)
            return process.wait()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):  # of the command, too
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
            process.kill()
            process.wait()
            raise


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
