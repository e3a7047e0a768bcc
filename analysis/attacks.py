"""Attacks that a sweep trains and tests its tickets with, by name.

A name is a threat model and a search: ``path_pgd`` moves the market's path by gradient steps.
``noise`` is random and serves as the control; ``transfer`` applies to the ticket the
perturbations that were found on the dense network.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import bounds

CLEAN = "cvar_05"
"""The CVaR that every trial has, and the default measure of a study."""

PARAMETER = "attack.name"
"""Parameter of a study that names the attack of training."""

TRANSFER = "transfer"
MODELS = ("path", "observation", "distribution", TRANSFER)
SEARCHES = ("noise", "fgsm", "pgd", "wpgd", "wbpgd")
"""Searches from the weakest to the strongest."""

_ATTACKED = re.compile(r"attacked_(?P<measure>cvar_\d\d)@(?P<name>\w+):(?P<size>[\d.e+-]+)")


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack of the test: ``name`` at ``budget``, in price units or, for observations, in sd.

    ``size`` is the budget as text in the column name; ``measure`` the CVaR measured under attack,
    by the name of its clean column.
    """

    name: str
    size: str
    measure: str = CLEAN

    @property
    def budget(self) -> float:
        """Budget, in price units or sd."""
        return float(self.size)

    @property
    def column(self) -> str:
        """Column of CVaR under this attack."""
        return f"attacked_{self.measure}@{self}"

    @property
    def model(self) -> str:
        """Threat model: the input that the adversary may change."""
        return model(self.name)

    @property
    def hardness(self) -> int:
        """Index of the search in :data:`SEARCHES`."""
        search = self.name.rpartition("_")[2]
        return SEARCHES.index(search) if search in SEARCHES else len(SEARCHES)

    @property
    def seeks(self) -> bool:
        """True if it searches for the worst case of the ticket itself."""
        return self.model != TRANSFER and self.hardness > 0

    @property
    def words(self) -> str:
        """The attack and its budget in words: "gradient steps on the path (PGD), ε = 0.1"."""
        return f"{spoken(self.name)}, ε = {self.size}"

    def __str__(self) -> str:
        return f"{self.name}:{self.size}"


def model(name: str) -> str:
    """The threat model of the attack ``name``: "path" of ``path_pgd``."""
    return name.partition("_")[0]


def attacks(trials: pd.DataFrame) -> list[Attack]:
    """Attacks under which any of ``trials`` has a CVaR, in the order of :func:`named`.

    Where trials count attacks without a finite CVaR, those of which all are null are among them.
    """
    counted = "attacks_not_finite" in trials.columns and trials["attacks_not_finite"].gt(0).any()
    return named(
        name
        for name in map(str, trials.columns)
        if trials[name].notna().any() or (counted and lost(trials, name))
    )


def named(columns: Iterable[str]) -> list[Attack]:
    """Attacks in the names of ``columns``, first measure only: by model, search, budget."""
    matches = filter(None, map(_ATTACKED.fullmatch, columns))
    candidates = [Attack(**match.groupdict()) for match in matches]
    alike = [attack for attack in candidates if attack.measure == candidates[0].measure]
    return sorted(alike, key=lambda a: (_place(a.model), a.hardness, a.budget))


def clean_column(attack_list: Sequence[Attack]) -> str:
    """Column of clean CVaR that matches ``attack_list``; ``cvar_05`` without attacks.

    Args:
        attack_list: from :func:`attacks` or :func:`named`.
    """
    return attack_list[0].measure if attack_list else CLEAN


def on_attacked_paths(measure: str) -> str:
    """Column of the clean CVaR ``measure`` on exactly the paths that are attacked."""
    return f"{measure}@attacked_paths"


def with_attacked_paths(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.DataFrame:
    """``trials`` with the columns of clean CVaR on the attacked paths, tickets' and dense.

    Tables of older sweeps lack them. It is then the CVaR on all test paths if all were attacked,
    by the ``manifest``, and else null: two samples of paths are not compared.
    """
    attack_list = attacks(trials)
    if not attack_list:
        return trials
    measure = clean_column(attack_list)
    whole = _all_attacked(trials, manifest)
    columns = {}
    for prefix in ("", "dense_"):
        name, clean = f"{prefix}{on_attacked_paths(measure)}", f"{prefix}{measure}"
        if name not in trials.columns and clean in trials.columns:
            columns[name] = trials[clean].astype("float64").where(whole)
    return trials.assign(**columns) if columns else trials


def _all_attacked(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> pd.Series:
    """True where every test path was attacked; False if the ``manifest`` does not tell."""
    if not isinstance(manifest.get("study"), Mapping):
        return pd.Series(False, index=trials.index)
    attacked = _numbers(setting(trials, manifest, "evaluation.attacked_paths"))
    paths = _numbers(setting(trials, manifest, "market.test_paths"))
    return attacked.isna() | attacked.ge(paths)


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def lost(rows: pd.DataFrame, metric: str) -> int:
    """Number of completed trials among ``rows`` under whose attack there is no finite CVaR.

    Not finite is what the table has as null, NaN, infinite or beyond any P&L, although the trial
    has a clean CVaR; 0 if ``metric`` is not a CVaR under an attack.
    """
    match = _ATTACKED.fullmatch(metric)
    if match is None or metric not in rows.columns or match["measure"] not in rows.columns:
        return 0
    clean, attacked = (_numbers(rows[name]) for name in (match["measure"], metric))
    return int((clean.notna() & ~attacked.abs().le(bounds.REAL)).sum())


def spoken(name: str) -> str:
    """The attack ``name`` in words: "gradient steps on the path (PGD)" of ``path_pgd``."""
    threat, _, search = name.partition("_")
    if name == TRANSFER:
        return "path attack found on the dense network"
    if threat not in _THREATS or search not in _SEARCHES:
        return name
    return _SEARCHES[search].format(_THREATS[threat])


def attacks_in_words(text: str) -> str:
    """``text`` with the words of every attack in it that has a budget, such as path_pgd:0.1."""
    return _IN_TEXT.sub(lambda match: Attack(**match.groupdict()).words, text)


_THREATS = {
    "path": "the path",
    "observation": "the observations",
    "distribution": "the distribution of paths",
}
_SEARCHES = {
    "noise": "random noise on {}",
    "fgsm": "one gradient step on {} (FGSM)",
    "pgd": "gradient steps on {} (PGD)",
    "wpgd": "gradient steps on {} (WPGD)",
    "wbpgd": "gradient steps on {} (WBPGD)",
}


_IN_TEXT = re.compile(
    rf"\b(?P<name>{TRANSFER}|(?:{'|'.join(_THREATS)})_(?:{'|'.join(_SEARCHES)}))"
    r":(?P<size>\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
)


def by_name(attack_list: Iterable[Attack]) -> dict[str, list[Attack]]:
    """Budgets of every attack by name, in the order of ``attack_list``."""
    families: dict[str, list[Attack]] = {}
    for attack in attack_list:
        families.setdefault(attack.name, []).append(attack)
    return families


def nearest(
    attack_list: Iterable[Attack], *, trained: str | None, epsilon: float
) -> Attack | None:
    """The search closest to the attack of training; None without a search.

    Criteria in order: same threat model, nearest budget, strongest search.

    Args:
        attack_list: from :func:`attacks`.
        trained: name of the attack of training; None if unknown, treated as one on the path.
        epsilon: its budget.
    """
    threat = model(trained or MODELS[0])
    return min(
        (attack for attack in attack_list if attack.seeks),
        key=lambda a: (a.model != threat, abs(a.budget - epsilon), -a.hardness),
        default=None,
    )


def setting(trials: pd.DataFrame, manifest: Mapping[str, Any], path: str) -> pd.Series:
    """Value of the study's ``path`` for every trial: from its axis, else from the manifest.

    Null where both lack it.
    """
    fixed: Any = manifest.get("study")
    for key in path.split("."):
        fixed = fixed.get(key) if isinstance(fixed, Mapping) else None
    values = pd.Series([fixed] * len(trials), index=trials.index, dtype="object")
    axis = f"config/{path}"
    if axis not in trials.columns:
        return values
    return trials[axis].astype("object").where(trials[axis].notna(), values)


def gradients(name: str, steps: float | None, restarts: float | None) -> float:
    """Gradient evaluations per path of the attack ``name``; NaN if unknown."""
    search = name.rpartition("_")[2]
    if search in ("noise", "fgsm"):
        return float(SEARCHES.index(search))
    if steps is None or restarts is None:
        return math.nan
    return float(steps) * float(restarts)


def _place(threat: str) -> int:
    return MODELS.index(threat) if threat in MODELS else len(MODELS)
