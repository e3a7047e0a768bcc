import pytest

from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.study import TicketStudy


@pytest.fixture(scope="session")
def study():
    """A study that trains in about a second."""
    return TicketStudy().with_axes(
        {
            "market.train_paths": 1024,
            "market.val_paths": 1024,
            "market.test_paths": 2048,
            "market.steps": 10,
            "network.hidden": [8, 8],
            "training.epochs": 4,
            "training.batch_size": 256,
            "dense.lr": 1e-2,
            "lr": 1e-2,
            "attack.steps": 2,
        }
    )


@pytest.fixture(scope="session")
def preparation(study):
    return prepare(study, seed=0)
