"""Every generated block of the pages, by name."""

from collections.abc import Mapping

from benchmarks.study import tickets, xnn
from benchmarks.study.pages import table
from benchmarks.study.sweeps import Study


def blocks(study: Study) -> Mapping[str, str]:
    """Text of every block."""
    return {
        "claims": table([*tickets.claim_rows(study.tickets), *tickets.claim_rows(study.xnn)]),
        "table": tickets.printed_table(study.tickets),
        "headline": tickets.headline(study.tickets),
        "tickets": tickets.verdicts(study.tickets),
        "hedges": tickets.hedges(study.tickets),
        "robust": tickets.robust_results(study.tickets),
        "controls": tickets.control_results(study.tickets),
        "xnn": xnn.headline(study.xnn),
        "cells": xnn.cell_table(study.xnn),
        "evidence": xnn.evidence(study.xnn),
    }
