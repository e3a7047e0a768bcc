import pytest

from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.prepare import prepare


@pytest.fixture(scope="session")
def study():
    """A study of 600 applicants and one cluster; its network and trees take a second together."""
    return XnnStudy().with_axes(
        {
            "data.rows": 600,
            "clusters": 1,
            "network.hidden": [10, 8],
            "training.epochs": 4,
            "training.lr": 3e-3,
            "baseline.lr": 3e-3,
            "training.batch_size": 40,
            "baseline.rounds": 4,
            "baseline.classifier_rounds": 2,
            "baseline.folds": 2,
            "evaluation.resamples": 50,
            "evaluation.concepts": 20,
            "evaluation.points": 3,
        }
    )


@pytest.fixture(scope="session")
def base(study):
    """The preparation that those with more clusters add to."""
    return prepare(study, seed=0)


@pytest.fixture(scope="session")
def clustered(study):
    """The same study with three clusters along five axes."""
    return study.with_axes({"clusters": 3, "clustering.axes": 5})


@pytest.fixture(scope="session")
def preparation(clustered, base):
    """Preparation of the clustered study."""
    return prepare(clustered, seed=0, base=base)
