"""Section of a report on early stopping, where trials that it stopped were run on."""

import pandas as pd
from rich.console import Console

from analysis.audit import audit, soundness
from analysis.audit_findings import stopping
from analysis.sweep import Sweep
from analysis.terminal import section


def early_stopping(sweep: Sweep, console: Console) -> dict[str, pd.DataFrame]:
    """Prints what early stopping cost; its tables, none where no trial was audited.

    The epochs are read only where a trial was audited.
    """
    trials = sweep.trials
    audited = "audited" in trials.columns and trials["audited"].fillna(False).any()
    ends = audit(trials, sweep.epochs, sweep.manifest) if audited else pd.DataFrame()
    sound = soundness(ends) if len(ends) else ends
    section(console, "Early stopping, audited", stopping(sound, trials, sweep.manifest))
    return {"audit": ends, "early_stopping": sound} if len(ends) else {}
