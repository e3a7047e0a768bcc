"""Names of metrics in words, for prose and drawings; tables keep the names of columns."""

import re

from analysis.attacks import named

_CVAR = re.compile(r"(attacked_)?(cvar_\d+)(_minus_dense)?")
_WORDS = {
    "val_loss": "validation loss",
    "val_clean_loss": "validation loss on clean paths",
    "val_attacked_loss": "validation loss under attack",
    "val_cvar_05": "validation CVaR 5 %",
    "weights_kept": "weights kept",
    "sharpe_ratio": "Sharpe ratio",
    "cross_entropy": "cross-entropy",
    "cross_entropy_minus_plain": "cross-entropy less that of the plain network",
    "r2_mean": "mean R2 of nodes",
}


def cvar_name(measure: str) -> str:
    """``measure`` in words: "CVaR 5 %" of ``cvar_05``."""
    return f"CVaR {int(measure.removeprefix('cvar_'))} %"


def metric_name(name: str) -> str:
    """Column ``name`` in words: "validation loss", "CVaR 5 % under random noise on the path, ..".

    Attacks have the words of the figures.
    """
    for attack in named([name]):
        return f"{cvar_name(attack.measure)} under {attack.words}"
    base, _, place = name.partition("@")
    if match := _CVAR.fullmatch(base):
        text = cvar_name(match[2]) + (" less dense" if match[3] else "")
    else:
        text = _WORDS.get(base) or base.replace("_", " ")
    return f"{text} under {place.replace(':', ' ')}" if place else text
