"""Trials of a sweep of robust tickets whose price and gain are planted."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

Cvar = Callable[[float, int], float]
"""CVaR of the ticket of a training epsilon and a seed."""

STUDY = {
    "market": {"test_paths": 8192},
    "attack": {"name": "path_fgsm", "steps": 5, "restarts": 1},
    "evaluation": {"steps": 10, "restarts": 2, "attacked_paths": None},
}
MANIFEST = {"study": STUDY}
PRICE, BOUGHT = 0.1, 0.8

# Luck of a seed: shared by all tickets of it, and far larger than any difference between them.
_LUCK = (0.0, 2.0, -1.0, 0.5, 1.0, -2.0)


def clean(epsilon: float, seed: int) -> float:
    """-3, less the price of every unit of epsilon, which alternates by 10 % over the seeds."""
    return -3.0 + _LUCK[seed % 6] - PRICE * epsilon * (1.0 + 0.1 * (-1) ** seed)


def harm(budget: float, *, bought: float = BOUGHT) -> Cvar:
    """Under an attack that takes twice its budget, of which training saves ``bought`` epsilon."""
    return lambda epsilon, seed: clean(epsilon, seed) - 2.0 * budget * (1.0 - bought * epsilon)


SOUND: Mapping[str, Cvar] = {
    "cvar_05@attacked_paths": clean,
    "attacked_cvar_05@path_pgd:0.1": harm(0.1),
    "attacked_cvar_05@path_pgd:0.5": harm(0.5),
    "attacked_cvar_05@path_noise:0.5": lambda e, s: clean(e, s) - 0.05,
    "attacked_cvar_05@transfer:0.5": lambda e, s: harm(0.5)(e, s) + 0.2 * (e > 0),
}
"""Attacks that nothing speaks against."""
HALF: Mapping[str, Cvar] = {
    "cvar_50": clean,
    **{name.replace("cvar_05", "cvar_50"): value for name, value in SOUND.items()},
}
"""The same attacks in a study that measures CVaR 50 %."""


def trials_of(
    table: Callable[..., pd.DataFrame],
    columns: Mapping[str, Cvar] = SOUND,
    *,
    epsilons: Sequence[float] = (0.0, 0.5),
    sparsities: Sequence[float] = (0.9,),
    seeds: int = 6,
    cvar: Cvar = clean,
) -> pd.DataFrame:
    """Tickets of every sparsity, epsilon and seed; the dense network has 0.5 less than standard.

    Args:
        table: makes a frame of trials from rows.
        columns: CVaR under attack and in other markets.
        epsilons: training budgets.
        sparsities: shares of weights removed.
        seeds: how many.
        cvar: clean CVaR 5 %.
    """
    axes = [(p, e, s) for p in sparsities for e in epsilons for s in range(seeds)]
    rows = [{"sparsity": p, "epsilon": e, "seed": s, "cvar_05": cvar(e, s)} for p, e, s in axes]
    frame = table(*rows).drop(columns="attacked_cvar_05@path_pgd:0.1")
    for name, value in {**columns, "cvar_05": cvar}.items():
        frame[name] = [value(e, s) for _, e, s in axes]
        frame[f"dense_{name}"] = [value(0.0, s) - 0.5 for _, _, s in axes]
    return frame
