"""The command ``predict``: rows of a table classified by a sealed X-NN."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sweeps import bundle_commands as bundles
from sweeps.errors import UsageError
from sweeps.journal.storage import replaced
from sweeps.text import echo, echo_all, plural

if TYPE_CHECKING:
    from hedgecore.bundle.manifest import Manifest

_file = click.Path(readable=False, path_type=Path)
_CLASSIFIER, _HEDGE = "explained_classifier", "hedging_network"
_SUFFIXES = (".parquet", ".csv")


@click.command("predict")
@click.argument("bundle", type=_file)
@click.argument("rows", type=_file)
@bundles.key_option
@click.option("--out", required=True, type=_file, help="File to write, .parquet or .csv.")
@click.option(
    "--private-key", type=_file, metavar="PRIVATE", help="Key that the model is encrypted for."
)
@bundles.accepted_option
@click.option("--force", is_flag=True, help="Replace the file of --out if it exists.")
def predict_command(
    bundle: Path,
    rows: Path,
    keys: tuple[Path, ...],
    out: Path,
    private_key: Path | None,
    accepted: Path | None,
    force: bool,
) -> None:
    """Classify ROWS, a CSV or Parquet table, by the X-NN in BUNDLE, verified beforehand.

    Example: hedgesweep predict underwriter-1 rows.csv --key keys/public.pem --out classes.csv
    """
    from sweeps.bundles import model, opened_bundle

    _check_out(out, rows, force=force)
    if not bundles.is_bundle(bundle):
        raise UsageError(
            f"{bundle} is no bundle; give one that was made by "
            "hedgesweep seal STORAGE TRIAL_ID --key private.pem --out BUNDLE"
        )
    opened = opened_bundle(bundle, keys=keys, private_key=private_key, accepted=accepted)
    _check_kind(bundle, opened.manifest)
    try:
        predictions = model(opened).predict(rows)
    except OSError as error:
        raise UsageError(
            f"{rows} cannot be read ({error.strerror or error}); give a CSV or Parquet file"
        ) from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    notes = predictions.attrs.pop("notes")
    with replaced(out) as stream:
        if out.suffix.lower() == ".csv":
            stream.write(predictions.to_csv(index=False, lineterminator="\n").encode())
        else:
            _write_parquet(predictions, opened.manifest, stream)
    echo_all(bundles.bundle_lines(opened.manifest))
    echo_all(f"rows        {note}" for note in notes)
    echo(f"{plural(len(predictions), 'row')} classified in {out}")


def _check_out(out: Path, rows: Path, *, force: bool) -> None:
    """Refuse an output that cannot be written, before anything is read."""
    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--out must end in .parquet or .csv, got {out}; rename it")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise UsageError(f"{out} cannot be written: no such folder, or one itself; give another")
    if out.exists() and rows.exists() and os.path.samefile(out, rows):
        raise UsageError(f"{out} is the file of the rows; give another --out")
    if os.path.lexists(out) and not force:
        raise UsageError(f"{out} exists; give another --out, or --force to replace it")


def _check_kind(bundle: Path, manifest: "Manifest") -> None:
    """Refuse a bundle of another model than an X-NN."""
    if manifest.architecture == _CLASSIFIER:
        return
    use = "sweeps.load_bundle"
    if manifest.architecture == _HEDGE:
        use = f"sweeps.load_bundle({str(bundle)!r}, key=..).positions(spot, variance) in Python"
    raise UsageError(
        f"predict is for the X-NN, and {bundle} has a {manifest.architecture}; use {use}"
    )


def _write_parquet(predictions: Any, manifest: "Manifest", stream: Any) -> None:
    """Write the table with the identity of its model in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(predictions, preserve_index=False)
    identity = {
        "model": f"{manifest.name} version {manifest.version}",
        "weights_sha256": manifest.weights_sha256,
        "key_id": manifest.key_id,
    }
    metadata = {**(table.schema.metadata or {}), **identity}
    pq.write_table(table.replace_schema_metadata(metadata), stream)
