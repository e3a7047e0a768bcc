"""A bit flipped in any file of a storage: refused with a line, repaired, or harmless."""

import shutil

import pytest
from reliability.flipping import examine, storages

import analysis
from analysis import StorageError


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    return storages(tmp_path_factory.mktemp("swept"))


@pytest.mark.parametrize("name", ["finished", pytest.param("killed", marks=pytest.mark.slow)])
def test_no_flip_gives_another_number(swept, tmp_path, name):
    tally = examine(swept[name], swept["finished"], tmp_path, most=3)
    assert tally.wrong == []
    assert tally.outcomes["refused"] > 10
    assert tally.outcomes["repaired"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["finished", pytest.param("killed", marks=pytest.mark.slow)])
def test_no_flip_of_many_gives_another_number(swept, tmp_path, name):
    tally = examine(swept[name], swept["finished"], tmp_path, most=60, seed=1)
    assert tally.wrong == []


def test_control_without_digests_a_changed_table_is_believed(swept, tmp_path):
    storage = shutil.copytree(swept["finished"], tmp_path / "copy")
    trials = analysis.load_trials(storage)
    trials.loc[0, "val_loss"] += 1.0
    trials.to_parquet(storage / "trials.parquet")
    with pytest.raises(StorageError):
        analysis.load_trials(storage)
    (storage / "SHA256SUMS").unlink()
    assert analysis.load_trials(storage)["val_loss"][0] == trials["val_loss"][0]
