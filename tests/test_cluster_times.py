"""Durations in docs/cluster.md held against those of a run of the cluster tests."""

import csv
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_every_duration_of_the_guide_is_of_the_stored_run() -> None:
    with open(DOCS / "cluster_times.csv", newline="") as file:
        stored = {row["event"]: row["seconds"] for row in csv.DictReader(file)}
    section = (DOCS / "cluster.md").read_text().partition("## What was tried")[2]
    quoted = dict(re.findall(r"^\| .*? \| `(.+?)` \| (\d+) s \|$", section, re.MULTILINE))
    assert quoted
    assert {event: stored.get(event) for event in quoted} == quoted
