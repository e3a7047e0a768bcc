"""No file of a storage or bundle of an X-NN contains a row that it was trained on."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from local_sweep import run_locally
from numpy.lib.stride_tricks import sliding_window_view
from quick import quick_of
from safetensors.numpy import load, save_file
from spaces import TINY_XNN

import analysis
from analysis.__main__ import main
from analysis.figures import rendering
from hedgecore.config import from_mapping
from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.data.schema import FEATURES
from hedgecore.insurance.deployment import DisclosureError
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.sealing import seal_trial

ONE_SEED = {"space.seed.grid": [0], "study.data.rare_levels": "planted"}
METHODS = ("k_means", "random_points")
# A row has hundreds of numbers, many of them shared by most rows; so many in a row are that row.
LEAST = 40


@pytest.fixture(scope="module", params=quick_of(METHODS, every=2))
def storage(request, tmp_path_factory):
    """A finished sweep with its report, and in it a bundle."""
    storage = tmp_path_factory.mktemp(request.param) / "out"
    overrides = {**ONE_SEED, "study.clustering.method": request.param}
    run_locally(TINY_XNN, storage, overrides=overrides)
    with pytest.MonkeyPatch.context() as patch:  # pixels and fonts take most of a report's time
        patch.delitem(rendering._METADATA, "pdf")
        patch.setattr(rendering, "_DPI", 40)
        assert CliRunner().invoke(main, ["report", str(storage)]).exit_code == 0
    completed = analysis.load_trials(storage)["trial_id"].iloc[-1]
    key = Ed25519PrivateKey.generate()
    seal_trial(storage, completed, key=key, folder=storage / "bundle")
    return storage


@pytest.fixture(scope="module")
def rows(storage):
    """Training rows: as in the table, standardised, and of the columns before scaling."""
    study = from_mapping(XnnStudy, StoredSweep.read(storage).manifest["study"])
    applicants = Applicants.of(study.data, seed=0)
    train, table, encoding = applicants.parts.train, applicants.table, applicants.encoding
    raw = np.stack([table.columns[n][train] for n in FEATURES if n != "Product_Info_2"], axis=1)
    candidates = dict(encoding.candidates({n: c[train] for n, c in table.columns.items()}))
    columns = np.stack([candidates[name] for name in encoding.columns], axis=1)
    return {"raw": raw, "standardised": encoding.encode(table)[train], "encoded": columns}


def arrays(path: Path) -> Iterator[np.ndarray]:
    """All numbers of a file, in the order and shape in which they are stored."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        yield from load(content).values()
        header = content[8 : 8 + int.from_bytes(content[:8], "little")]
        yield from lists(json.loads(header))
    elif path.suffix == ".parquet":
        for column in pq.read_table(path).to_pandas().select_dtypes("number"):
            yield pq.read_table(path)[column].to_numpy()
    elif path.suffix in (".json", ".jsonl"):
        for line in [content] if path.suffix == ".json" else content.splitlines():
            yield from lists(json.loads(line))


def lists(value: object) -> Iterator[np.ndarray]:
    """Lists of numbers anywhere in ``value``, and the numbers of each of its mappings."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        yield from lists(json.loads(value))
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        numbers = [v for v in inner if isinstance(v, int | float)]
        if len(numbers) >= LEAST:
            yield np.array(numbers, dtype=np.float64)
        for one in inner:
            yield from lists(one)


def ordered(rows: np.ndarray) -> tuple[int, np.ndarray]:
    """The column of the most values, and ``rows`` ordered by it."""
    values = [0 if np.isnan(column).any() else len(np.unique(column)) for column in rows.T]
    pivot = int(np.argmax(values))
    assert values[pivot] > 1
    return pivot, rows[np.argsort(rows[:, pivot])]


def contains(array: np.ndarray, pivot: int, rows: np.ndarray) -> bool:
    """True if some row is a row or a column of ``array``, up to the rounding of float32.

    Only rows with an equal number in the column ``pivot``, by which they are ordered, are
    compared as a whole.
    """
    array = np.atleast_1d(array).astype(np.float64)
    flat = [array.reshape(-1, array.shape[-1]), array.reshape(array.shape[0], -1).T]
    flat += [array.reshape(1, -1)] if array.ndim == 1 else []
    width = rows.shape[1]
    for candidates in flat:
        if candidates.shape[1] < width:
            continue
        parts = sliding_window_view(candidates, width, axis=1).reshape(-1, width)
        first = np.searchsorted(rows[:, pivot], parts[:, pivot] - 2e-4)
        last = np.searchsorted(rows[:, pivot], parts[:, pivot] + 2e-4)
        for i in np.flatnonzero(last > first):
            near = rows[first[i] : last[i]]
            close = (np.abs(parts[i] - near) <= 1e-4) | np.isnan(near) & np.isnan(parts[i])
            if close.all(axis=1).any():
                return True
    return False


def holding(storage: Path, rows: dict[str, np.ndarray]) -> list[str]:
    """Files with a training row, as bytes of either precision or as numbers."""
    found = []
    patterns = [row.astype(t).tobytes() for part in rows.values() for row in part
                for t in (np.float32, np.float64)]  # fmt: skip
    parts = [ordered(part) for part in rows.values()]
    for path in sorted(storage.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        numeric = any(contains(a, *part) for a in arrays(path) if a.size for part in parts)
        if numeric or any(pattern in content for pattern in patterns):
            found.append(str(path.relative_to(storage)))
    return found


def test_no_file_of_a_storage_or_bundle_contains_a_training_row(storage, rows):
    files = [path for path in storage.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".safetensors", ".parquet", ".json", ".jsonl"}
    assert (storage / "bundle").is_dir()
    assert holding(storage, rows) == []


@pytest.mark.parametrize("kind", ["raw", "standardised", "encoded"])
def test_a_planted_row_is_noticed_in_every_kind_of_file(kind, rows, tmp_path):
    row = rows[kind][7:8]
    save_file({"points": row.astype(np.float32)}, tmp_path / "a.safetensors")
    save_file({"points": np.ascontiguousarray(row.T)}, tmp_path / "b.safetensors")
    numbers = np.nan_to_num(row[0], nan=np.nan).tolist()
    (tmp_path / "c.json").write_text(json.dumps({"metadata": json.dumps([numbers])}))
    (tmp_path / "d.bin").write_bytes(b"123" + row.astype(np.float64).tobytes())
    assert holding(tmp_path, rows) == ["a.safetensors", "b.safetensors", "c.json", "d.bin"]


def test_every_centroid_of_a_storage_is_the_mean_of_enough_rows(storage):
    manifest = StoredSweep.read(storage).manifest
    least = manifest["study"]["clustering"]["min_rows"]
    trials = analysis.load_trials(storage)
    assert trials["cluster_rows_min"].min() >= least == 20


def test_a_storage_whose_centroids_are_single_rows_is_not_sealed(tmp_path):
    overrides = {
        **ONE_SEED,
        "study.clustering.method": "random_points",
        "study.clustering.min_rows": 1,
    }
    run_locally(TINY_XNN, tmp_path / "out", overrides=overrides)
    trial = analysis.load_trials(tmp_path / "out")["trial_id"].iloc[0]
    with pytest.raises(DisclosureError, match=r"mean of 1 training rows.*min_rows to 20"):
        seal_trial(
            tmp_path / "out", trial, key=Ed25519PrivateKey.generate(), folder=tmp_path / "bundle"
        )
    assert not (tmp_path / "bundle").exists()
