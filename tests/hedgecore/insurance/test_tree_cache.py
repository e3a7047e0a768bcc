import numpy as np
import pytest

from hedgecore.insurance.evaluation import tree_cache
from hedgecore.insurance.evaluation.boosted_trees import regression
from hedgecore.insurance.evaluation.tree_cache import OFF, SWITCH, cached

ROWS = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, str(tmp_path / "trees"))
    return tmp_path / "trees"


def fits(*results):
    """Function that returns one of ``results`` a call, and fails after the last."""
    remaining = iter(results)
    return lambda: next(remaining)


def test_trees_of_equal_rows_and_settings_are_fitted_once(folder):
    fit = fits(b"first")
    assert [cached(fit, {"seed": 0}, ROWS) for _ in range(3)] == [b"first"] * 3


@pytest.mark.parametrize(
    ("settings", "rows"),
    [({"seed": 1}, ROWS), ({"seed": 0}, ROWS + 1), ({"seed": 0}, ROWS.T), ({"seed": 0}, ROWS[:2])],
)
def test_other_rows_or_settings_are_other_trees(folder, settings, rows):
    cached(fits(b"first"), {"seed": 0}, ROWS)
    assert cached(fits(b"second"), settings, rows) == b"second"


def test_trees_of_another_arithmetic_are_not_used(folder, monkeypatch):
    cached(fits(b"first"), {}, ROWS)
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    tree_cache.arithmetic.__globals__["_measured"].cache_clear()
    assert cached(fits(b"second"), {}, ROWS) == b"second"
    tree_cache.arithmetic.__globals__["_measured"].cache_clear()


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data + b"x", lambda _: b""]
)
def test_a_damaged_file_is_replaced(folder, damage):
    cached(fits(b"first"), {}, ROWS)
    (file,) = folder.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cached(fits(b"again"), {}, ROWS) == b"again"
    assert cached(fits(), {}, ROWS) == b"again"


def test_files_are_the_users_alone(folder):
    cached(fits(b"first"), {}, ROWS)
    (file,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_files_used_last_are_kept(folder, monkeypatch):
    monkeypatch.setattr(tree_cache, "_FILES", 2)
    for seed in range(4):
        cached(fits(b"fitted"), {"seed": seed}, ROWS)
    assert len(list(folder.iterdir())) == 2
    assert cached(fits(), {"seed": 3}, ROWS) == b"fitted"


def test_nothing_is_written_with_the_cache_off(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, OFF)
    monkeypatch.chdir(tmp_path)
    assert [cached(fits(b"a", b"b"), {}, ROWS)] == [b"a"]
    assert list(tmp_path.iterdir()) == []


def test_cached_trees_predict_as_fitted_ones_to_the_last_bit(folder, monkeypatch):
    generator = np.random.default_rng(0)
    x = {"train": generator.random((300, 4), dtype=np.float32)}
    y = {"train": generator.integers(8, size=300)}
    first, second = (regression(x, y, seed=0, rounds=9) for _ in range(2))
    monkeypatch.setenv(SWITCH, OFF)
    fitted = regression(x, y, seed=0, rounds=9)
    assert first.model == second.model == fitted.model
    np.testing.assert_array_equal(second.prediction["train"], fitted.prediction["train"])


def test_a_folder_that_cannot_be_made_caches_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(SWITCH, str(tmp_path / "file" / "trees"))
    assert cached(fits(b"a"), {}, ROWS) == b"a"
