"""Smoke spaces on a GPU, where autograd trains, beside the same on the CPU."""

import pandas as pd
import pytest
import torch

import analysis
import sweeps
from sweeps import SilentProgress

FIRST, LAST = 1e-3, 2e-2
"""Relative tolerances of the validation loss after the first epoch, and after the last: sums in
another order differ by rounding, which training amplifies."""


@pytest.mark.gpu
@pytest.mark.ray
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("space", ["tickets_smoke", "xnn_smoke"])
def test_a_gpu_trains_as_the_cpu_does(space, tmp_path, monkeypatch):
    monkeypatch.setenv("HEDGESWEEP_KERNEL", "off")
    losses = {}
    for gpu in (0, 1):
        storage = tmp_path / f"gpu{gpu}"
        overrides = {"resources.gpu": gpu, "scheduler": None}
        sweep = sweeps.run(space, storage=storage, overrides=overrides, progress=SilentProgress())
        assert sweep.exit_status == 0
        epochs = analysis.load_epochs(storage)
        trials = analysis.load_trials(storage).set_index("trial_id")
        axes = [name for name in trials if name.startswith("config/")]
        rows = epochs.join(trials[axes], on="trial_id", rsuffix="_trial")
        losses[gpu] = rows.set_index([*axes, "epoch"])["val_loss"].sort_index()
    pd.testing.assert_index_equal(losses[0].index, losses[1].index)
    difference = (losses[1] / losses[0] - 1.0).abs()
    epoch = difference.index.get_level_values("epoch")
    assert difference[epoch == 1].max() <= FIRST
    assert difference.max() <= LAST
