"""The explanation gain of an X-NN does not hang on rare levels."""

import numpy as np
import pytest

from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.evaluation.assessment import validate
from hedgecore.insurance.prepare import prepare
from hedgecore.insurance.run import train

SEEDS = (0, 1, 2)


def gain(rare_levels: str, seed: int) -> float:
    """Gain on validation rows at weight 0.1 of the study of ``xnn.yaml``, K = 6."""
    study = XnnStudy().with_axes(
        {
            "data.rare_levels": rare_levels,
            "training.epochs": 20,
            "training.batch_size": 256,
            "clustering.axes": 10,
            "adj_weight": 0.1,
            "baseline.rounds": 1,
            "baseline.classifier_rounds": 1,
            "baseline.folds": 2,
        }
    )
    preparation = prepare(study, seed=seed)
    clustering = preparation.about["clustering"]
    assert min(clustering["sizes"]) >= study.clustering.min_rows
    assert preparation.files["clusters"]["members"].min() >= study.clustering.min_rows
    *_, last = train(study, preparation, device="cpu", resume=None).epochs
    return validate(study, preparation, last.theta)["val_explanation_gain"]


@pytest.mark.slow
def test_planted_rare_levels_change_the_gain_by_at_most_a_twentieth():
    planted, without = (
        np.mean([gain(rare_levels, seed) for seed in SEEDS]) for rare_levels in ("planted", "none")
    )
    assert abs(planted - without) <= 0.05
    assert planted > 0.3
