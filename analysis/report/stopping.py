"""Section of a report on the audit of early stopping."""

import pandas as pd
from rich.console import Console

from analysis.audit import audit, soundness
from analysis.audit_findings import stopping
from analysis.sweep import Sweep
from analysis.terminal import section


def early_stopping(sweep: Sweep, console: Console) -> dict[str, pd.DataFrame]:
    """Print the cost of early stopping; returns its tables, empty if no trial was audited.

    The epochs are read only if a trial was audited.
    """
    trials = sweep.trials
    audited = "audited" in trials.columns and trials["audited"].fillna(False).any()
    ends = audit(trials, sweep.epochs, sweep.manifest) if audited else pd.DataFrame()
    sound = soundness(ends) if len(ends) else ends
    section(console, "Early stopping, audited", stopping(sound, trials, sweep.manifest))
    return {"audit": ends, "early_stopping": sound} if len(ends) else {}
