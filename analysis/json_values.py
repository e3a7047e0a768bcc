"""Values of tables as JSON has them."""

import math
from typing import Any

import pandas as pd


def plain_value(value: Any) -> Any:
    """``value`` as plain Python; None if null, NaN or infinite."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain is pd.NA:
        return None
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
