"""CSV tables of the numbers that figures draw."""

from collections.abc import Collection

_ROBUSTNESS, _CELLS, _PASSES = "robustness", "cells", "sparsity_passes"
# A figure of several tables, or of numbers in no table such as epochs and weights, has none.
_TABLES = {
    "convergence_speed": "learning_rates",
    "cvar_against_remaining": _PASSES,
    "sharpe_against_remaining": _PASSES,
    "seeds": "seeds",
    "cvar_against_budget": _ROBUSTNESS,
    "price_of_robustness": _ROBUSTNESS,
    "sparsity_and_epsilon": _ROBUSTNESS,
    "budget_curves": "budget_curves",
    "controls": "controls",
    "early_stopping_audit": "audit",
    "importance": "importance",
    "importance_shift": "importance_shift",
    "mask_overlap": "mask_overlap",
    "pareto": _CELLS,
    "heat_map": _CELLS,
    "fairness": "fairness",
    "column_importance": "column_importance",
    "nodes": "node_coefficients",
}
_XNN = {"controls": _CELLS}
"""Figures whose name another experiment has for another table."""


def csv_file(picture: str, written: Collection[str], *, experiment: str) -> str | None:
    """File name of the CSV table that a figure draws; None if there is none among ``written``.

    Args:
        picture: name of the figure, with its folder if it has one.
        written: file names of the tables of the report.
    """
    folder, _, name = picture.rpartition("/")
    if folder.endswith("plain_network"):
        return None
    kind = "heat_map" if folder.endswith("heat_maps") else name
    tables = _TABLES | (_XNN if experiment == "xnn" else {})
    file = f"{tables.get(kind)}.csv"
    return file if file in written else None
