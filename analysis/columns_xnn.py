"""The columns of an X-NN sweep, and its family of rates by group."""

import re
from collections.abc import Mapping

from analysis.columns import Column, Direction, Rows, floats, identity, provenance, table

CONTROLS: Mapping[str, str] = {
    "untrained": "the untrained network",
    "plain": "the plain network",
    "plain_random_points": "the plain network on random rows",
    "permuted": "permuted rows",
}
"""What a network's R2 is held against at the same number of centroids, in words."""

RATES: Mapping[str, tuple[Direction | None, str]] = {
    "selection_rate": (None, "share of test rows predicted to be of class 8"),
    "true_positive_rate": ("higher", "share of class 8 that is predicted to be"),
    "false_positive_rate": ("lower", "share of the other classes predicted to be of class 8"),
    "accuracy": ("higher", "share of test rows classified right"),
    "kappa": ("higher", "quadratic kappa of the likeliest class on test rows"),
}
"""What is told of every group of insured: its better end and its meaning."""

ENDS: Mapping[str, str] = {
    "": "",
    "_low": ", lower end of the 95 % bootstrap interval",
    "_high": ", upper end of the 95 % bootstrap interval",
}

_NAT = "nat"

_CONFIG: Rows = (
    ("config/method", "string", "", None, "what pulls nodes towards centroids"),
    (
        "config/adj_weight",
        "float64",
        "",
        None,
        "weight of that pull; 0 is the plain network, and double_step knows no other",
    ),
    ("config/clusters", "Int64", "centroids", None, "number of centroids asked for"),
    ("config/lr", "float64", "", None, "learning rate of the network"),
    ("config/seed", "Int64", "", None, "seed of the study: split, theta_0, batches, centroids"),
)
_TRAINING: Rows = (
    ("epochs", "Int64", "epochs", None, "epochs trained"),
    ("best_epoch", "Int64", "epoch", None, "epoch with the least validation loss"),
    ("val_loss", "float64", _NAT, "lower", "least cross-entropy on validation rows"),
    ("centroids", "Int64", "centroids", None, "centroids found; may be fewer than asked for"),
)
_SCORES: tuple[tuple[str, str, Direction | None, str], ...] = (
    ("cross_entropy", _NAT, "lower", "mean of -log p of the true class on test rows"),
    ("accuracy", "1", "higher", "share of test rows classified right"),
    ("kappa", "1", "higher", "quadratic kappa of the likeliest class on test rows"),
    ("kappa_expected", "1", "higher", "quadratic kappa of the rounded expected class"),
    ("macro_f1", "1", "higher", "mean F1 of the classes on test rows"),
    ("ece", "1", "lower", "expected calibration error on test rows"),
)
_EXPLANATION: Rows = floats(
    (
        ("r2_mean", "1", "higher", "held-out R2 of a node on all distances, mean of nodes"),
        ("r2_median", "1", "higher", "the same, median of nodes"),
        ("r2_min", "1", "higher", "the same, least of nodes"),
        ("beta_max", "1", None, "largest |standardised coefficient|, mean of nodes"),
        ("beta_gini", "1", "higher", "sparsity of |beta|: 0 all equal, 1 - 1/K one alone"),
        ("rho_top", "1", "higher", "largest |correlation| with a distance, mean of nodes"),
        ("rho_gap", "1", "higher", "its lead over the second largest, mean of nodes"),
        ("mi_mean", "1", "higher", "adjusted MI of node and nearest centroid, mean of nodes"),
        ("mi_max", "1", "higher", "the same, largest of nodes"),
        ("mig", "1", "higher", "lead of the most informative node, mean of centroids"),
        ("disentanglement", "1", "higher", "how few distances each node uses (DCI)"),
        ("completeness", "1", "higher", "how few nodes use each distance (DCI)"),
        ("coverage", "centroids", "higher", "centroids that a node speaks for, |rho| > 0.7"),
        ("dead_nodes", "nodes", "lower", "nodes that are constant or never above zero"),
        *((f"r2_{name}", "1", None, f"r2_mean of {what}") for name, what in CONTROLS.items()),
        ("r2_random_points", "1", None, "r2_mean on distances to random rows, not centroids"),
        ("explanation_gain", "1", "higher", "r2_mean less the largest of its controls"),
        ("specificity", "1", "higher", "r2_mean less r2_random_points"),
        ("rho_control", "1", None, "largest rho_top of the controls"),
        ("rho_gain", "1", "higher", "rho_top less rho_control"),
        ("selectivity", _NAT, "higher", "how much more ablation costs a centroid's own rows"),
        ("surrogate_cross_entropy", _NAT, "lower", "cross_entropy with nodes as distances imply"),
        ("surrogate_accuracy", "1", "higher", "accuracy with nodes as distances imply"),
        ("surrogate_agreement", "1", "higher", "share of rows whose likeliest class stays"),
        ("concept_score", "1", None, "TCAV of the centroids for class 8, mean of centroids"),
        ("concept_p", "1", None, "least p of these times their number, at most 1 (Bonferroni)"),
    )
)
_SPREADS: tuple[tuple[str, str, Direction | None, str], ...] = (
    ("selection_rate_ratio", "1", "higher", "smallest over largest selection rate of a group"),
    *(
        (f"{rate}_difference", "1", "lower", f"largest less smallest {rate} of a group")
        for rate in ("selection_rate", "true_positive_rate", "false_positive_rate", "kappa")
    ),
)
_FAIRNESS: Rows = (
    *floats(
        (f"{name}{end}", unit, direction, meaning + words)
        for name, unit, direction, meaning in _SPREADS
        for end, words in ENDS.items()
    ),
    ("groups", "Int64", "groups", None, "groups compared; below 2 where no two have 30 rows"),
)
_VALIDATION: Rows = floats(
    (f"val_{name}", "1", "higher", f"{name} on validation rows")
    for name in ("explanation_gain", "r2_mean")
)
_PREPARED: Rows = floats(
    (
        (
            "cluster_stability",
            "1",
            "higher",
            "mean adjusted Rand index of the clusters of bootstrap samples with those of all "
            "rows; null where they were not resampled",
        ),
        ("plain_val_loss", _NAT, "lower", "val_loss of the seed's plain network"),
        *(
            (f"plain_{name}", unit, direction, f"{name} of the seed's plain network")
            for name, unit, direction, _ in _SCORES
        ),
    )
)
_EPOCH: Rows = (
    ("trial_id", "string", "", None, "the trial this epoch belongs to"),
    ("epoch", "Int64", "epoch", None, "1 is the first"),
    ("train_loss", "float64", _NAT, "lower", "mean cross-entropy of the batches as they came"),
    ("val_loss", "float64", _NAT, "lower", "cross-entropy on validation rows"),
    ("train_accuracy", "float64", "1", "higher", "share of the batches classified right"),
    ("val_accuracy", "float64", "1", "higher", "share of validation rows classified right"),
    ("added_loss", "float64", "", None, "what the method added to the loss, mean of rows"),
    ("best", "boolean", "", None, "whether val_loss is the least so far"),
    ("audit", "boolean", "", None, "whether it lies after the stop of an audited trial"),
    ("seconds", "float64", "s", None, "wall time of the trial so far; depends on the machine"),
)

TRIALS = table(
    identity(_NAT),
    _CONFIG,
    _TRAINING,
    floats(_SCORES),
    _EXPLANATION,
    _FAIRNESS,
    _VALIDATION,
    _PREPARED,
    provenance("fingerprint of the insured"),
)
EPOCHS = table(_EPOCH[:2], _CONFIG, _EPOCH[2:])

_GROUPED = re.compile(
    rf"(?P<rate>{'|'.join(RATES)})(?P<end>_low|_high)?@(?P<of>\w+):(?P<level>.+)"
)


def grouped(name: str) -> Column | None:
    """The column ``<rate>[_low|_high]@<column>:<level>``; None where ``name`` is no such."""
    if not (match := _GROUPED.fullmatch(name)):
        return None
    direction, meaning = RATES[match["rate"]]
    return Column(
        name=name,
        dtype="float64",
        unit="1",
        direction=direction,
        meaning=f"{meaning}, of {match['of']} {match['level']}{ENDS[match['end'] or '']}",
    )
