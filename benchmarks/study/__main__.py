"""``python -m benchmarks.study RESULTS``: the study that the documentation quotes.

Copies the tables of RESULTS/tickets_seeds and RESULTS/xnn_seeds to docs/study, draws docs/figures,
and writes the generated blocks of the pages. ``make study`` runs the sweeps first. Without
RESULTS, figures and blocks are written again from the copies.
"""

import argparse
import sys
from pathlib import Path

from analysis.errors import AnalysisError
from benchmarks.study import figures
from benchmarks.study.blocks import blocks
from benchmarks.study.pages import filled
from benchmarks.study.storage import UnfinishedError, publish
from benchmarks.study.sweeps import EXPERIMENTS, Study

ROOT = Path(__file__).resolve().parents[2]
COPIES = ROOT / "docs" / "study"
PAGES = ("README.md", "docs/results.md", "docs/robustness.md", "docs/xnn.md")


def main(results: Path | None) -> None:
    """Copy the sweeps in ``results``, if any, and write figures and pages."""
    if results is not None:
        for name in EXPERIMENTS:
            publish(results / f"{name}_seeds", COPIES / name)
    study = Study.read(COPIES)
    figures.save(study, ROOT / "docs" / "figures")
    texts = blocks(study)
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(path.read_text(encoding="utf-8"), texts), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="?")
    try:
        main(parser.parse_args().results)
    except (AnalysisError, UnfinishedError) as error:
        sys.exit(f"error: {error}")
