"""Columns of an X-NN sweep."""

from dataclasses import replace

from hedgecore.columns import Better, Column, Columns, Family

_ENDS = {
    "": "",
    "_low": ", lower end of the 95 % bootstrap interval",
    "_high": ", upper end of the 95 % bootstrap interval",
}


def _real(name: str, better: Better | None, meaning: str, unit: str = "1") -> Column:
    return Column(name, float, unit, better, meaning)


def _intervals(*columns: Column) -> tuple[Column, ...]:
    """``columns``, each followed by the two ends of its interval."""
    return tuple(
        replace(column, name=column.name + end, meaning=column.meaning + words)
        for column in columns
        for end, words in _ENDS.items()
    )


_SCORES = (
    _real("cross_entropy", "lower", "mean of -log p of the true class on test rows", "nat"),
    _real(
        "accuracy", "higher", "share of test rows whose likeliest class is the true one", "share"
    ),
    _real("kappa", "higher", "quadratic weighted kappa of the likeliest class on test rows"),
    _real(
        "kappa_expected", "higher",
        "quadratic weighted kappa of the rounded expected class on test rows",
    ),
    _real("macro_f1", "higher", "mean F1 of the classes that are true or predicted on test rows"),
    _real(
        "ece", "lower",
        "expected calibration error on test rows: mean distance of confidence from accuracy, "
        "over 15 bins",
    ),
)  # fmt: skip


def _error(name: str, meaning: str, unit: str = "1") -> Column:
    """Standard error over test rows; all seeds share these, so it does not average out."""
    return _real(f"{name}_se", "lower", f"standard error of {meaning}, paired by test row", unit)


_SCORE_ERRORS = (
    _error(
        "cross_entropy_minus_plain", "cross_entropy less that of the seed's plain network", "nat"
    ),
    _error("cross_entropy_minus_boosted", "cross_entropy less that of XGBoost softprob", "nat"),
    _error("accuracy_minus_plain", "accuracy less that of the seed's plain network", "share"),
    _error("kappa_minus_plain", "kappa less that of the seed's plain network"),
)
_R2 = _real("r2_mean", "higher", "held-out R2 of a node on all distances, mean of nodes")
_GAIN = _real("explanation_gain", "higher", "r2_mean less the largest of its controls")
_EXPLANATION = (
    _R2,
    _real("r2_median", "higher", "held-out R2 of a node on all distances, median of nodes"),
    _real("r2_min", "higher", "held-out R2 of a node on all distances, least of nodes"),
    _real("beta_max", None, "largest |standardised coefficient|, mean of nodes"),
    _real(
        "inflation_max", "lower",
        "largest variance inflation factor of a distance: 1 for uncorrelated distances, and a "
        "single coefficient says little above about 10",
    ),
    _real("beta_gini", "higher", "sparsity of |beta|: 0 all equal, 1 - 1/K one alone"),
    _real("rho_top", "higher", "largest |correlation| with a distance, mean of nodes"),
    _real("rho_gap", "higher", "lead of rho_top over the second largest, mean of nodes"),
    _real("mi_mean", "higher", "adjusted MI of node and nearest centroid, mean of nodes"),
    _real("mi_max", "higher", "adjusted MI of node and nearest centroid, largest of nodes"),
    _real("mig", "higher", "lead of the most informative node, mean of centroids"),
    _real("disentanglement", "higher", "how few distances each node uses (DCI)"),
    _real("completeness", "higher", "how few nodes use each distance (DCI)"),
    _real("coverage", "higher", "centroids that some node represents, |rho| > 0.7", "centroids"),
    _real("dead_nodes", "lower", "nodes that are constant or never above zero", "nodes"),
    _real("r2_untrained", None, "r2_mean of the untrained network"),
    _real("r2_plain", None, "r2_mean of the plain network"),
    _real("r2_plain_random_points", None, "r2_mean of the plain network on random rows"),
    _real("r2_permuted", None, "r2_mean of permuted rows"),
    _real("r2_random_points", None, "r2_mean on distances to random rows, not centroids"),
    _real("r2_rotated", None, "r2_mean on distances to the centroids rotated about the mean"),
    _GAIN,
    _error("explanation_gain", "explanation_gain"),
    _error("r2_mean_minus_plain", "r2_mean less r2_plain"),
    _real("specificity", "higher", "r2_mean less r2_random_points"),
    _error("specificity", "specificity"),
    _real("specificity_rotated", "higher", "r2_mean less r2_rotated"),
    _real("rho_control", None, "largest rho_top of the controls"),
    _real("rho_gain", "higher", "rho_top less rho_control"),
    _real("selectivity", "higher", "how much more ablation costs a centroid's own rows", "nat"),
    _real(
        "surrogate_cross_entropy", "lower", "cross_entropy with nodes predicted from distances",
        "nat",
    ),
    _real("surrogate_accuracy", "higher", "accuracy with nodes predicted from distances", "share"),
    _real(
        "surrogate_agreement", "higher",
        "share of test rows whose likeliest class stays with nodes predicted from distances",
        "share",
    ),
    _real(
        "constant_agreement", None,
        "share of test rows with the network's commonest likeliest class: the agreement of a "
        "constant answer",
        "share",
    ),
    *(
        _real(f"plain_surrogate_{name}", None, f"surrogate_{name} of the plain network", unit)
        for name, unit in (
            ("cross_entropy", "nat"), ("accuracy", "share"), ("agreement", "share"),
        )
    ),
    _real(
        "logistic_cross_entropy", None,
        "cross_entropy of a logistic regression on the distances", "nat",
    ),
    _real(
        "logistic_accuracy", None, "accuracy of a logistic regression on the distances", "share",
    ),
    _real(
        "logistic_agreement", None,
        "share of test rows where that regression has the network's likeliest class",
        "share",
    ),
    _real("concept_score", None, "TCAV of the centroids for class 8, mean of centroids"),
    _real(
        "concept_p", None,
        "least p of the concept scores times their number, at most 1 (Bonferroni)",
    ),
)  # fmt: skip
_RATES = (
    _real("selection_rate", None, "share of test rows predicted to be of class 8", "share"),
    _real("true_positive_rate", "higher", "share of rows of class 8 predicted as such", "share"),
    _real(
        "false_positive_rate", "lower", "share of the other classes predicted to be of class 8",
        "share",
    ),
    *(column for column in _SCORES if column.name in ("accuracy", "kappa")),
)  # fmt: skip
_SPREADS = (
    _real("selection_rate_ratio", "higher", "smallest over largest selection rate of a group"),
    *(
        replace(
            rate,
            name=f"{rate.name}_difference",
            better="lower",
            meaning=f"largest less smallest {rate.name} of a group",
        )
        for rate in _RATES
        if rate.name != "accuracy"
    ),
)
_PLAIN = (_real("val_loss", "lower", "least cross-entropy on validation rows", "nat"), *_SCORES)
TEST = (
    *_SCORES,
    *_SCORE_ERRORS,
    *_EXPLANATION,
    *_intervals(*_SPREADS),
    Column("groups", int, "groups", None, "groups compared; below 2 where no two have 30 rows"),
)
"""Metrics of a network on the test rows, computed by ``.evaluation.assessment``."""

COLUMNS = Columns(
    parameters=(
        Column("config/method", str, "", None, "method that aligns nodes with centroids"),
        Column(
            "config/adj_weight", float, "", None,
            "weight of the alignment; 0 is the plain network, and the only weight of double_step",
        ),
        Column("config/clusters", int, "centroids", None, "number of centroids requested"),
        Column("config/lr", float, "", None, "learning rate of the network"),
        Column(
            "config/seed", int, "", None, "seed of the study: split, theta_0, batches, centroids"
        ),
    ),
    losses=(
        _real("train_loss", "lower", "mean cross-entropy of the batches as they came", "nat"),
        _real("val_loss", "lower", "mean cross-entropy on validation rows", "nat"),
    ),
    training=(
        _real("train_accuracy", "higher", "share of rows of batches classified right", "share"),
        _real("val_accuracy", "higher", "share of validation rows classified right", "share"),
        _real("added_loss", None, "what the method added to the loss, mean of rows", "nat"),
    ),
    results=(
        Column("centroids", int, "centroids", None, "centroids found; at most those requested"),
        *TEST,
    ),
    families=(Family(bases=_intervals(*_RATES), places={r"(\w+):(.+)": r", of \1 \2"}),),
    references=(
        *(
            replace(column, name=f"val_{column.name}", meaning=f"{column.name} on validation rows")
            for column in (_GAIN, _R2)
        ),
        Column(
            "rare_levels", int, "levels", None,
            "levels of too few training rows, pooled into the other of their column",
        ),
        Column(
            "rare_columns", int, "columns", None,
            "encoded columns dropped because they separate too few training rows",
        ),
        Column(
            "cluster_rows_min", int, "rows", "higher",
            "training rows of the smallest cluster, whose mean is a centroid",
        ),
        Column(
            "clusters_undersized", int, "clusters", "lower",
            "clusters of fewer training rows than clustering.min_rows, set aside or merged",
        ),
        _real("prior_cross_entropy", None, "cross_entropy of the class shares", "nat"),
        _real("prior_accuracy", None, "accuracy of the commonest class for every row", "share"),
        _real(
            "cluster_stability", "higher",
            "mean adjusted Rand index of the clusters of bootstrap samples with those of all "
            "rows; null where they were not resampled",
        ),
        *(
            replace(
                column,
                name=f"plain_{column.name}",
                meaning=f"{column.name} of the seed's plain network",
            )
            for column in _PLAIN
        ),
    ),
)  # fmt: skip
