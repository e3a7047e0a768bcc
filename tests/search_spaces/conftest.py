from collections.abc import Callable
from pathlib import Path

import pytest

TICKETS = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.5, 0.8]}
  lr:
    grid:
      - 1.0e-3
      - 5.0e-4
  attack.steps: {grid: [3, 5]}
study:
  training: {epochs: 20, hidden: [32, 32]}
search: {algorithm: grid, num_samples: null, seed: 7}
scheduler:
  asha: {max_t: 50, grace_period: 5, stratify_by: [sparsity]}
resources: {cpu: 2}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a text to tickets.yaml and gives its path."""

    def _write(text: str) -> Path:
        path = tmp_path / "tickets.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


@pytest.fixture(scope="session")
def tickets_text() -> str:
    return TICKETS


@pytest.fixture
def tickets(write: Callable[[str], Path], tickets_text: str) -> Path:
    return write(tickets_text)
