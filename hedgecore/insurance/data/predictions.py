"""Table of predictions: one row per classified applicant."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from hedgecore.insurance.data.files import Frame
from hedgecore.insurance.data.rows import Rows


def predictions(
    rows: Rows,
    *,
    probabilities: Float[np.ndarray, "rows classes"],
    distances: Float[np.ndarray, "rows clusters"] | None,
    notes: Sequence[str],
) -> Frame:
    """See :meth:`hedgecore.insurance.classifier.Classifier.predict`.

    Args:
        rows: the classified rows.
        probabilities: of every class, the first is Response 1.
        distances: to every centroid.
        notes: in addition to those of ``rows``.
    """
    columns: dict[str, np.ndarray] = {
        "Id": rows.ids.to_numpy(),
        **{f"probability_{k + 1}": column for k, column in enumerate(probabilities.T)},
        "likeliest": probabilities.argmax(axis=1) + 1,
    }
    if distances is not None:
        columns["nearest_centroid"] = distances.argmin(axis=1) + 1
        columns |= {f"distance_{k + 1}": column for k, column in enumerate(distances.T)}
    frame = pd.DataFrame(columns)
    frame.attrs["notes"] = [*rows.notes, *notes]
    return frame
