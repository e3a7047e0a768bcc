"""Section of a report on the audit of early stopping."""

import pandas as pd

from analysis.audit import audit, soundness
from analysis.audit_findings import rival, stopping
from analysis.html.stopping import AUDIT
from analysis.i_epoch import i_epoch
from analysis.page import Page
from analysis.stopped_units import scheduler_kind
from analysis.sweep import Sweep


def early_stopping(sweep: Sweep, page: Page) -> dict[str, pd.DataFrame]:
    """Print the cost of early stopping; returns its tables, empty if no trial was audited.

    The epochs are read only if a trial was audited.
    """
    trials = sweep.trials
    audited = "audited" in trials.columns and trials["audited"].fillna(False).any()
    ends = audit(trials, sweep.epochs, sweep.manifest) if audited else pd.DataFrame()
    sound = soundness(ends) if len(ends) else ends
    lines = stopping(sound, trials, sweep.manifest)
    if ends.empty:
        page.section(AUDIT, lines)
        return {}
    compares = scheduler_kind(sweep.manifest) != "i_epoch"
    choices = i_epoch(trials, sweep.epochs, sweep.manifest) if compares else pd.DataFrame()
    page.section(AUDIT, [*lines, *rival(choices)])
    tables = {"audit": ends, "early_stopping": sound}
    return tables | ({"i_epoch": choices} if len(choices) else {})
