"""Evidence of a tickets sweep on the claims on sparse and robust hedges, by problem."""

from collections.abc import Callable, Mapping

import pandas as pd

from analysis.attacks import CLEAN, attacks, clean_column, nearest, on_attacked_paths
from analysis.claims.catalogue import SHARE, SPARSITY, SPEED
from analysis.claims.evidence import Evidence, Part, fieller
from analysis.configurations import LOTTERY, shared_paths
from analysis.sweep import Candidate, Problem, selections
from analysis.tickets import boosting, importance, masks
from analysis.tickets.networks import Kind, Model, kind_of, load_models
from analysis.tickets.robustness_findings import trained_under
from analysis.wording import percent, value

_MORE = ("log_moneyness", "time_to_maturity")
_LESS = ("return", "cumulative_pnl")

_NO_PAIR = "no standard and robust ticket of one sparsity have completed"
_NO_MODELS = "the trained models cannot be read"

Source = Callable[[Problem, float], Evidence | None]


def _sparsity(problem: Problem, tolerance: float) -> Evidence | None:
    """CVaR of the smallest swept sparsity of at least 90 %, with a margin to the dense one's."""
    candidates = [
        one
        for one in problem.candidates[LOTTERY]
        if one.sparsity >= SPARSITY and not one.epsilon > 0.0
    ]
    if not candidates or f"{CLEAN}_minus_dense" not in problem.trials:
        return None
    ticket = min(candidates, key=lambda one: one.sparsity)
    loss = ticket.by_seed(f"{CLEAN}_minus_dense")
    margin = tolerance * ticket.by_seed(f"dense_{CLEAN}").abs()
    error = 0.0
    if shared_paths(ticket.chosen) and f"{CLEAN}_minus_dense_se" in ticket.chosen:
        error = float(ticket.chosen[f"{CLEAN}_minus_dense_se"].astype("float64").mean())
    return Evidence(
        effect=loss,
        parts=(Part(name="CVaR", values=loss + margin, symmetric=False, error=error),),
        subject=_subject(ticket),
        controls=("dense",),
        selections=ticket.competitors,
        error=error,
        obstacle=_censored(ticket),
    )


def _robustness(problem: Problem, tolerance: float) -> Evidence | None:
    """Share of the gap under the attack nearest to training that the largest epsilon closes."""
    if not _asked(problem):
        return None
    if (pair := _pair(problem)) is None:
        return Evidence(obstacle=_NO_PAIR)
    if not (measured := attacks(problem.tickets)):
        return None
    standard, robust = pair
    trained = trained_under(problem.tickets, problem.manifest, robust.epsilon)
    attack = nearest(measured, trained=trained, epsilon=robust.epsilon)
    if attack is None:
        return None
    gain = robust.by_seed(attack.column) - standard.by_seed(attack.column)
    clean = standard.by_seed(on_attacked_paths(clean_column(measured)))
    gap = clean - standard.by_seed(attack.column)
    unmeasured = "no clean CVaR on the attacked paths" if clean.isna().all() else ""
    both = pd.concat([gain, gap], axis=1, keys=["gain", "gap"])
    complete = both.dropna()
    mean = complete["gain"].mean() / complete["gap"].mean() if len(complete) else float("nan")
    return Evidence(
        effect=both["gain"] / both["gap"],
        mean=mean,
        ends=fieller(both["gain"], both["gap"]),
        parts=(
            # Training under attack shrinks the noise of the attacked CVaR, so that the noise of
            # the differences is as skewed as that of standard tickets.
            Part(
                name="share of the gap",
                values=both["gain"] - SHARE * both["gap"],
                symmetric=False,
            ),
            Part(name="gap", values=both["gap"], symmetric=False),
        ),
        subject=f"{_subject(robust)}, under {attack}",
        controls=("standard tickets",),
        obstacle=_censored(standard, robust) or unmeasured,
        selections=selections(robust, standard),
    )


def _features(problem: Problem, tolerance: float) -> Evidence | None:
    """One contrast of the importance of four features, robust less standard tickets."""
    if not _asked(problem):
        return None
    if (pair := _pair(problem)) is None:
        return Evidence(obstacle=_NO_PAIR)
    models = _models(problem, *map(kind_of, pair))
    if not models:
        return Evidence(subject=_subject(pair[1]), obstacle=_NO_MODELS)
    weights = importance.importances(models)
    weights = weights[weights["measure"].eq(importance.MAIN)]
    wide = weights.pivot_table(index=["model", "seed"], columns="feature", values="value")
    if absent := [name for name in (*_MORE, *_LESS) if name not in wide]:
        return Evidence(subject=_subject(pair[1]), obstacle=f"no input {', '.join(absent)}")
    contrast = wide[list(_MORE)].mean(axis=1) - wide[list(_LESS)].mean(axis=1)
    robust, standard = (_of_kind(contrast, kind_of(one), one) for one in pair[::-1])
    shift = robust - standard
    return Evidence(
        effect=shift,
        parts=(Part(name="contrast", values=shift, symmetric=False),),
        subject=_subject(pair[1]),
        controls=("standard tickets",),
        selections=selections(*pair),
        obstacle=_censored(*pair),
    )


def _patterns(problem: Problem, tolerance: float) -> Evidence | None:
    """Overlap of two masks of one theta_0, less that of a robust and a standard ticket."""
    if not _asked(problem):
        return None
    if (pair := _pair(problem)) is None:
        return Evidence(obstacle=_NO_PAIR)
    standard, robust = (kind_of(one) for one in pair)
    models = _models(problem, standard, robust)
    if not models:
        return Evidence(subject=_subject(pair[1]), obstacle=_NO_MODELS)
    by = {(m.kind, m.seed): m for m in models}
    across = {s: _overlap(by, (standard.name, s), (robust.name, s)) for s in standard.trials}
    seeds = pd.Index(sorted(set(standard.trials) & set(robust.trials)))
    overlap = pd.Series(across, dtype="float64").reindex(seeds)
    if len(overlap) and bool((overlap == 1.0).all()):
        return None  # both are cut from one network: pruning.source is not "robust"
    floor = _floor(problem, pair[0], seeds)
    if floor is None:
        return Evidence(
            effect=overlap,
            parts=(),
            subject=_subject(pair[1]),
            missing=("two masks of one theta_0",),
        )
    return Evidence(
        effect=floor - overlap,
        parts=(Part(name="overlap", values=floor - overlap, symmetric=False),),
        subject=_subject(pair[1]),
        controls=("two masks of one theta_0",),
        selections=selections(*pair),
        obstacle=_censored(*pair),
    )


def _boosting(problem: Problem, tolerance: float) -> Evidence | None:
    """CVaR of the boosting ticket on the largest budget of at most half the dense epochs."""
    raced = boosting.race(problem, speed=SPEED)
    if raced is None:
        return None
    ticket, rivals = raced.cvar, raced.rivals
    parts = [
        Part(
            name="dense network",
            values=ticket - rivals["dense"] + tolerance * rivals["dense"].abs(),
            symmetric=False,
        )
    ]
    if "retrained" in rivals:
        retrained = rivals["retrained"]
        values = ticket - retrained + tolerance * retrained.abs()
        parts.append(Part(name="dense network retrained", values=values))
    leads = ("retrained_as_long", "same_rate", "random_reinit")
    parts += [Part(name=name, values=ticket - rivals[name]) for name in leads if name in rivals]
    needed = ("retrained_as_long", "same_rate")
    return Evidence(
        effect=ticket - rivals["dense"],
        parts=tuple(parts),
        subject=raced.subject,
        controls=tuple(boosting.in_name(name) for name in rivals),
        missing=tuple(boosting.in_name(name) for name in needed if name not in rivals),
        selections=raced.competitors,
    )


SOURCES: Mapping[str, Source] = {
    "boosting": _boosting,
    "sparsity": _sparsity,
    "features": _features,
    "patterns": _patterns,
    "robustness": _robustness,
}


def _asked(problem: Problem) -> bool:
    """True if the space has tickets of an epsilon of 0 and of one above it."""
    epsilon = problem.tickets["config/epsilon"].astype("float64")
    return bool(epsilon.eq(0.0).any() and epsilon.gt(0.0).any())


def _models(problem: Problem, *kinds: Kind) -> list[Model]:
    """Models of ``kinds`` that can be read; none without files."""
    return [] if problem.files is None else load_models(problem.files, kinds)[0]


def _pair(problem: Problem) -> tuple[Candidate, Candidate] | None:
    """Standard and most robust ticket of the largest sparsity that has both."""
    by_sparsity: dict[float, dict[float, Candidate]] = {}
    for one in problem.chosen():
        if one.sparsity > 0.0:
            by_sparsity.setdefault(one.sparsity, {})[one.epsilon] = one
    for sparsity in sorted(by_sparsity, reverse=True):
        tickets = by_sparsity[sparsity]
        if 0.0 in tickets and max(tickets) > 0.0:
            return tickets[0.0], tickets[max(tickets)]
    return None


def _censored(*tickets: Candidate) -> str:
    per_seed = any(one.is_per_seed for one in tickets)
    return "no configuration completed at every seed" if per_seed else ""


def _subject(ticket: Candidate) -> str:
    parts = [f"sparsity {percent(ticket.sparsity)}"]
    parts += [f"epsilon {ticket.epsilon:g}"] if ticket.epsilon > 0.0 else []
    lr = ticket.description.get("lr")
    parts += [f"lr {value(lr)}"] if lr is not None and pd.notna(lr) else []
    return ", ".join(parts)


def _of_kind(contrast: pd.Series, kind: Kind, ticket: Candidate) -> pd.Series:
    """Values of one kind at every seed of its candidate."""
    seeds = ticket.by_seed("val_loss").index
    values = contrast.xs(kind.name, level="model") if kind.name in contrast.index else contrast[:0]
    return values.reindex(seeds) if len(values) else pd.Series(float("nan"), index=seeds)


def _overlap(
    models: Mapping[tuple[str, int], Model], first: tuple[str, int], second: tuple[str, int]
) -> float:
    if first not in models or second not in models:
        return float("nan")
    return masks.overlap(models[first].masks, models[second].masks)


def _floor(problem: Problem, standard: Candidate, seeds: pd.Index) -> pd.Series | None:
    """Overlap by seed of two standard masks of one theta_0; None without ``dense.batch_order``."""
    axis = "config/dense.batch_order"
    if axis not in problem.trials:
        return None
    trials = standard.trials[standard.trials["status"].eq("completed")]
    values = sorted(trials[axis].dropna().unique())
    if len(values) < 2:
        return None
    kinds = [
        Kind(
            name=f"order {order}",
            epsilon=0.0,
            seeds=tuple(seeds),
            trials=dict(
                zip(rows["config/seed"].fillna(0).astype(int), rows["trial_id"], strict=True)
            ),
        )
        for order in values[:2]
        for rows in [trials[trials[axis].eq(order)].drop_duplicates("config/seed")]
    ]
    by = {(m.kind, m.seed): m for m in _models(problem, *kinds)}
    first, second = (kind.name for kind in kinds)
    return pd.Series({s: _overlap(by, (first, s), (second, s)) for s in seeds}, dtype="float64")
