"""Sample of training rows and all centroids on the leading principal axes, for plots.

Every view has rows of its own, so that no applicant has more than three coordinates on file.
"""

from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.insurance.clusters.centroids import Whitening

# Axes of a view, number of views, and rows of each.
_SPACE, _VIEWS, _PICTURED = 3, 3, 2000


def pictured(
    x: Float[Tensor, "rows features"],
    label: Int[Tensor, " rows"],
    points: Float[Tensor, "clusters features"],
    *,
    order: Int[Tensor, " rows"],
) -> dict[str, Tensor]:
    """Coordinates in standard deviations on axes 1 to 3, 4 to 6 and 7 to 9, as far as they exist.

    Returns:
        ``sample_projection``, ``sample_class`` and ``points_projection`` of the first view, and
        ``view_<n>.sample_projection`` and so on of view n from 2 on.

    Args:
        x: encoded training rows.
        label: class of every row.
        points: centroids.
        order: random permutation of the rows, whose first are drawn.
    """
    whitening = _leading(x)
    views = max(1, len(whitening.inverse_root) // _SPACE)
    coordinates = whitening(points)
    tensors = {}
    for view, rows in enumerate(order[: _PICTURED * views].tensor_split(views)):
        sample, axes = rows.sort().values, slice(_SPACE * view, _SPACE * (view + 1))
        prefix = f"view_{view + 1}." if view else ""
        tensors[f"{prefix}sample_projection"] = whitening(x[sample])[:, axes].contiguous()
        tensors[f"{prefix}sample_class"] = label[sample]
        tensors[f"{prefix}points_projection"] = coordinates[:, axes].contiguous()
    return tensors


def _leading(x: Float[Tensor, "rows features"]) -> Whitening:
    """Whitening along the axes of as many views as ``x`` has axes for."""
    for views in range(_VIEWS, 1, -1):
        if x.shape[1] >= _SPACE * views:
            try:
                return Whitening.fit(x, axes=_SPACE * views)
            except ValueError:  # rows vary along fewer axes, enough for fewer views
                continue
    return Whitening.fit(x, axes=min(_SPACE, x.shape[1]))
