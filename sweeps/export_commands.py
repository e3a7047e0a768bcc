"""The command ``export``: a storage in the formats of other tools."""

import subprocess
import sys
from pathlib import Path

import click

from sweeps import analysis_process, options
from sweeps.bundle_keys import read_private
from sweeps.errors import UsageError
from sweeps.text import echo, plural

_new = click.Path(readable=False, path_type=Path)
_FORMATS = ("csv_folder", "optuna_file", "tensorboard_folder", "onnx_file", "signed_folder")


@click.command("export")
@options.storage_argument
@options.trial_argument(required=False)
@click.option("--csv", "csv_folder", type=_new, metavar="FOLDER", help="trials.csv, epochs.csv.")
@click.option(
    "--optuna",
    "optuna_file",
    type=_new,
    metavar="FILE",
    help="SQLite database of a study of Optuna, for optuna-dashboard sqlite:///FILE.",
)
@click.option(
    "--tensorboard",
    "tensorboard_folder",
    type=_new,
    metavar="FOLDER",
    help="Event files, for tensorboard --logdir FOLDER.",
)
@click.option(
    "--onnx", "onnx_file", type=_new, metavar="FILE", help="Network of TRIAL_ID as ONNX."
)
@click.option(
    "--model-signing",
    "signed_folder",
    type=_new,
    metavar="FOLDER",
    help="Model of TRIAL_ID, signed by --key for OpenSSF Model Signing.",
)
@click.option(
    "--key",
    type=_new,
    metavar="PRIVATE",
    help="P-256 key of hedgesweep keys --for model-signing.",
)
def export_command(
    storage: Path,
    trial_id: str | None,
    csv_folder: Path | None,
    optuna_file: Path | None,
    tensorboard_folder: Path | None,
    onnx_file: Path | None,
    signed_folder: Path | None,
    key: Path | None,
) -> None:
    """Write STORAGE, or the model of its TRIAL_ID, in the format of another tool.

    export-model writes a hedge as C source, and seal a bundle of ours.

    Example: hedgesweep export results/tickets --optuna tickets.db --csv tables

    Example: hedgesweep export results/tickets 1f3a --onnx hedge.onnx
    """
    if not any((csv_folder, optuna_file, tensorboard_folder, onnx_file, signed_folder)):
        raise UsageError(
            "nothing to export; give --csv, --optuna, --tensorboard, --onnx or --model-signing"
        )
    if (onnx_file or signed_folder) and trial_id is None:
        raise UsageError("--onnx and --model-signing need a TRIAL_ID; hedgesweep best names some")
    if trial_id is not None and not (onnx_file or signed_folder):
        raise UsageError("only --onnx and --model-signing are of one trial; leave out TRIAL_ID")
    if signed_folder and key is None:
        raise UsageError(
            "--model-signing needs --key; make one with hedgesweep keys --for model-signing"
        )
    tables = {"--csv": csv_folder, "--optuna": optuna_file}
    flags = [f"{name}={path}" for name, path in tables.items() if path]
    if flags:
        command = analysis_process.command("export", *flags, "--", str(storage))
        if status := subprocess.run(command).returncode:
            sys.exit(status)
    if tensorboard_folder:
        from sweeps.exports.event_files import export_tensorboard

        number = export_tensorboard(storage, tensorboard_folder)
        echo(f"{plural(number, 'run')} in {tensorboard_folder}")
    if onnx_file and trial_id:
        from sweeps.exports.onnx_model import export_onnx

        difference = export_onnx(storage, trial_id, out=onnx_file)
        echo(f"{onnx_file}: differs from torch by at most {difference:.2g} on 1,000 rows")
    if signed_folder and trial_id and key:
        from hedgecore.bundle.keys import model_signing_key
        from sweeps.exports.model_signing import export_signed

        signing = read_private(key, model_signing_key)
        export_signed(storage, trial_id, key=signing, folder=signed_folder)
        echo(f"signed in {signed_folder}, with model.sig")


COMMANDS = (export_command,)
