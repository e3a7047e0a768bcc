"""Shapes in signatures are checked at run time, and no test may draw from a global generator."""

import os

import pytest
from jaxtyping import install_import_hook

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Trees are fitted by the tests that need some, and nothing is written to the home folder.
os.environ.setdefault("HEDGESWEEP_TREES", "off")

# The modules at the border (rng, registry, config) answer wrong types with messages of their own.
install_import_hook(
    [
        f"hedgecore.{part}"
        for part in (
            "risk",
            "metrics",
            "market",
            "pruning",
            "attacks",
            "training",
            "hedging",
            "insurance",
        )
    ],
    "typechecker.check",
)

import numpy as np  # noqa: E402
import torch  # noqa: E402

# As in a trial. Two threads a test are slower than one where the cores are busy, by far.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_ambient_randomness(request):
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    yield
    assert torch.equal(before[0], torch.get_rng_state()), "drew from torch's global generator"
    if request.node.get_closest_marker("ray"):
        return  # Ray's own scheduler draws from numpy's global generator
    after = np.random.get_state()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(before[1], after, strict=True)), (
        "drew from numpy's global generator"
    )


@pytest.fixture
def drawn_small(monkeypatch):
    """Figures as small PNGs: fonts in PDFs and large images take most of a report's time."""
    from analysis.figures import rendering

    monkeypatch.delitem(rendering._METADATA, "pdf")
    monkeypatch.setattr(rendering, "_DPI", 40)


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are drawn but not written, which takes most of their time."""
    from analysis.figures import rendering

    monkeypatch.setattr(
        rendering, "figure_files", lambda folder, name, figure: [folder / f"{name}.png"]
    )
    monkeypatch.setattr(rendering, "svg_text", lambda figure: "<svg></svg>")
