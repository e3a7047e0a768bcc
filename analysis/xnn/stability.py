"""Stability of explanations: agreement of the coefficients of networks of different seeds.

The order of nodes and centroids differs between seeds. Centroids are matched by their distances,
nodes by the cosines of their coefficients, each by an optimal one-to-one assignment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # its subpackages are loaded lazily on first use

from analysis.arguments import checked
from analysis.configurations import typed
from analysis.contrast import BETTER, WORSE, contrast, corrected, verdict
from analysis.frames import Frame, frame_of
from analysis.tensors import SweepFiles, TensorFile, UnreadError
from analysis.wording import amount, plural
from analysis.xnn.cells import axes, members

Floats = npt.NDArray[np.float64]

_NEEDED = (
    "explanation.beta",
    "centroids.points",
    "centroids.inverse_root",
    "encoding.mean",
    "encoding.sd",
    "encoding.axes",
)
_PLAIN = "explanation.plain_beta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Nodes and centroids in a model file.

    Args:
        beta: standardised coefficients, [nodes, centroids].
        plain: the same for the plain network's nodes; None if the file lacks them.
        centroids: in the columns of the table, standardised by this seed, [centroids, columns].
        columns: their names.
        mean: of every column, as is ``sd``.
        axes: principal axes of the network's inputs, [axes, columns]; may be empty.
        inverse_root: whitening of the network's inputs for distances, [dimensions, inputs].
    """

    beta: Floats
    plain: Floats | None
    centroids: Floats
    columns: tuple[str, ...]
    mean: Floats
    sd: Floats
    axes: Floats
    inverse_root: Floats


@checked
def stability(
    files: SweepFiles, trials: Frame, table: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """One row per cell with two networks or more, and a line per model that cannot be read.

    ``cell`` is its label in ``table``. ``cosine`` is the mean cosine of the coefficients of
    matched nodes, over all ``pairs`` of seeds; ``cosine_least`` and ``cosine_most`` are the least
    and largest mean of a pair. Matching lifts even unrelated coefficients well above 0, so compare
    it with ``plain_cosine``, the same for the plain networks on the same distances. ``verdict`` is
    on their difference over disjoint pairs of seeds, which are independent, after Holm over the
    cells; it needs six seeds, and all of them.

    Args:
        table: cells from :func:`analysis.xnn.cells.cells` whose networks are to be read.
    """
    trials = frame_of(trials)
    names = axes(trials)
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for _, cell in table[table["seeds"].gt(1)].iterrows():
        networks: list[Explained] = []
        for trial in members(trials, cell)["trial_id"]:
            try:
                networks.append(_alike(_read(files.model(str(trial), "xnn")), networks))
            except UnreadError as error:
                missing.append(str(error))
        if len(networks) > 1:
            values = {name: cell[name] for name in names}
            row = {"cell": cell.name, **values, "networks": len(networks)} | _over_pairs(networks)
            if len(networks) < int(cell["trials"]) or bool(cell["provisional"]):
                row["p"] = np.nan
            rows.append(row)
    judged = corrected(rows)
    rows = [row | {"verdict": verdict(row)} for row in judged]
    dtypes = {name: str(table[name].dtype) for name in names}
    floats = [f"{of}cosine{end}" for of in ("", "plain_") for end in ("", "_least", "_most")]
    floats += ["difference", "p_holm"]
    counts = dict.fromkeys(("networks", "pairs"), "Int64")
    numbers = dict.fromkeys(floats, "float64")
    types = {"cell": "Int64", **dtypes, **counts, **numbers, "verdict": "string"}
    return typed(rows, types), missing


def sentences(rows: pd.DataFrame, cell: pd.Series | None) -> list[str]:
    """Sentences on the agreement of a ``cell`` across seeds; empty if it is not in ``rows``.

    Args:
        rows: from :func:`stability`.
    """
    matches = rows[[cell is not None and label == cell.name for label in rows["cell"]]]
    if matches.empty:
        return []
    row = matches.iloc[0]
    line = (
        f"Between {plural(int(row['networks']), 'seed')}, coefficients of matched nodes on "
        f"matched centroids have a mean cosine of {amount(row['cosine'])} "
        f"({amount(row['cosine_least'])} to {amount(row['cosine_most'])} by pair)"
    )
    if pd.isna(row["plain_cosine"]):
        return [f"{line}; matching alone lifts it above 0."]
    words = {BETTER: "shown to agree more", WORSE: "shown to agree less"}
    claim = words.get(row["verdict"], "not shown to agree more or less")
    return [f"{line}; those of plain networks {amount(row['plain_cosine'])}: {claim}."]


def matched(beta: Floats, other: Floats) -> float:
    """Largest mean cosine of the rows of ``beta`` and ``other`` over one-to-one matchings.

    A row of zeros has cosine 0 with any.
    """
    units = [b / np.linalg.norm(b, axis=1, keepdims=True).clip(min=1e-300) for b in (beta, other)]
    cosines = units[0] @ units[1].T
    return float(cosines[scipy.optimize.linear_sum_assignment(cosines, maximize=True)].mean())


def same_centroids(one: Explained, other: Explained) -> tuple[Floats, Floats]:
    """Indices of the centroids of ``one``, and of the matched centroids of ``other``.

    Seeds are fitted on different rows, so centroids of ``other`` are mapped to the columns of the
    table and from there to the inputs of ``one``, whose whitening defines all distances; columns
    that only ``one`` has are set to their mean. The matching minimises the sum of distances.
    """
    place = {name: i for i, name in enumerate(other.columns)}
    shared = [i for i, name in enumerate(one.columns) if name in place]
    other_columns = [place[one.columns[i]] for i in shared]
    raw = other.centroids[:, other_columns] * other.sd[other_columns] + other.mean[other_columns]
    images = np.zeros((len(raw), len(one.columns)))
    images[:, shared] = (raw - one.mean[shared]) / one.sd[shared]
    whitened = [_inputs(one, points) @ one.inverse_root.T for points in (one.centroids, images)]
    distances = np.linalg.norm(whitened[0][:, None] - whitened[1][None], axis=-1)
    rows, columns = scipy.optimize.linear_sum_assignment(distances)
    return rows, columns


def _over_pairs(networks: Sequence[Explained]) -> dict[str, Any]:
    cosines: dict[str, list[float]] = {"cosine": [], "plain_cosine": []}
    for one, other in combinations(networks, 2):
        rows, columns = same_centroids(one, other)
        cosines["cosine"].append(matched(one.beta[:, rows], other.beta[:, columns]))
        if one.plain is not None and other.plain is not None:
            cosines["plain_cosine"].append(matched(one.plain[:, rows], other.plain[:, columns]))
    row: dict[str, Any] = {"pairs": len(cosines["cosine"]), "difference": np.nan, "p": np.nan}
    if len(cosines["plain_cosine"]) == len(cosines["cosine"]):
        own, plain = (pd.Series(cosines[name], dtype=float) for name in cosines)
        row["difference"] = (own - plain).mean()
        indices = list(combinations(range(len(networks)), 2))
        disjoint = [indices.index((i, i + 1)) for i in range(0, len(networks) - 1, 2)]
        row["p"] = contrast(own[disjoint], plain[disjoint], symmetric=False).p
    for name, values in cosines.items():
        if values:
            row |= {name: np.mean(values), f"{name}_least": min(values)}
            row[f"{name}_most"] = max(values)
    return row


def _inputs(network: Explained, standard: Floats) -> Floats:
    return standard @ network.axes.T if len(network.axes) else standard


def _read(file: TensorFile) -> Explained:
    contents = file.load()
    if absent := [name for name in _NEEDED if name not in contents.tensors]:
        raise UnreadError(f"{file.path} cannot be read (it has no {absent[0]})")
    arrays = {name: contents.tensors[name].astype(np.float64) for name in _NEEDED}
    plain = contents.tensors[_PLAIN].astype(np.float64) if _PLAIN in contents.tensors else None
    mean, along = arrays["encoding.mean"], arrays["encoding.axes"]
    points = arrays["centroids.points"]
    if not _fit(arrays, plain):
        raise UnreadError(f"{file.path} cannot be read (its tensors do not fit one another)")
    # Inputs along principal axes differ from the columns, which are then equal for all seeds.
    names = contents.about.get("inputs", ()) if not len(along) else ()
    has_names = isinstance(names, list) and len(names) == len(mean)
    return Explained(
        beta=np.nan_to_num(arrays["explanation.beta"]),
        plain=None if plain is None else np.nan_to_num(plain),
        centroids=points @ along if len(along) else points,
        columns=tuple(map(str, names)) if has_names else tuple(map(str, range(len(mean)))),
        mean=mean,
        sd=arrays["encoding.sd"],
        axes=along,
        inverse_root=arrays["centroids.inverse_root"],
    )


def _fit(arrays: Mapping[str, Floats], plain: Floats | None) -> bool:
    """True if shapes agree: nodes, centroids, columns and inputs of one network."""
    beta, points, root, mean, sd, along = (arrays[name] for name in _NEEDED)
    if [a.ndim for a in (beta, points, root, mean, sd)] != [2, 2, 2, 1, 1] or not beta.size:
        return False
    if len(along) and (along.ndim != 2 or along.shape[1] != len(mean)):
        return False
    inputs = len(along) or len(mean)
    same = [
        points.shape == (beta.shape[1], inputs),
        root.shape[1] == inputs,
        len(sd) == len(mean),
        plain is None or (plain.ndim == 2 and plain.shape[1] == beta.shape[1]),
        all(np.isfinite(a).all() for a in (points, root, mean, along)),
        bool((np.isfinite(sd) & (sd > 0.0)).all()),
    ]
    return all(same)


def _alike(network: Explained, others: Sequence[Explained]) -> Explained:
    """``network`` after a check that it has as many nodes and centroids as the ``others``."""
    for other in others[:1]:
        if other.beta.shape != network.beta.shape:
            raise UnreadError("a network has another number of nodes or centroids than its cell")
    return network
