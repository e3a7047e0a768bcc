"""Checks of values in the log: types, bounds and shapes of the fields of records.

A check returns None, or the fault of a value, which begins with its path in the record.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sweeps.journal import bounds
from sweeps.journal.layout import NAMES

Check = Callable[[Any, str], str | None]

MOST_EPOCHS = 1_000_000
"""Maximum of epochs per trial, far above any training."""
MOST_WHOLE = 2**63 - 1
"""Maximum of whole numbers, since tables have 64 bits."""

_SCALARS = (bool, int, float, str, type(None))


def holds(expected: str, predicate: Callable[[Any], bool]) -> Check:
    """Check that ``predicate`` holds; ``expected`` describes it in the fault."""

    def check(value: Any, at: str) -> str | None:
        return None if predicate(value) else f"{at} should be {expected}, got {_short(value)}"

    return check


def matches(expected: str, pattern: str | re.Pattern[str]) -> Check:
    """Text that matches ``pattern`` completely."""
    compiled = re.compile(pattern)
    return holds(expected, lambda v: isinstance(v, str) and compiled.fullmatch(v) is not None)


def whole(low: int, high: int = MOST_WHOLE) -> Check:
    """A whole number from ``low`` to ``high``."""
    return holds(
        f"a whole number in [{low}, {high}]", lambda v: type(v) is int and low <= v <= high
    )


def or_null(check: Check) -> Check:
    """Null, or a value that passes ``check``."""
    return lambda value, at: None if value is None else check(value, at)


def list_of(check: Check, *, most: int = MOST_WHOLE) -> Check:
    """A list of at most ``most`` items."""

    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, list):
            return f"{at} should be a list, got {_short(value)}"
        if len(value) > most:
            return f"{at} should have at most {most} items, got {len(value)}"
        problems = (check(item, f"{at}[{i}]") for i, item in enumerate(value))
        return next(filter(None, problems), None)

    return checked


def mapping_of(check: Check, names: Check | None = None) -> Check:
    """A mapping of any ``names``."""

    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, dict):
            return f"{at} should be an object, got {_short(value)}"
        for name, item in value.items():
            if problem := (names and names(name, f"a name in {at}")) or check(
                item, f"{at}.{name}"
            ):
                return problem
        return None

    return checked


def with_fields(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    others: Check | None = None,
) -> Check:
    """A mapping with these fields; others are allowed only if they pass ``others``."""
    every = {**required, **(optional or {})}

    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, dict):
            return f"{at} should be an object, got {_short(value)}"
        for name in required:
            if name not in value:
                return f"{at} lacks {name!r}"
        for name, item in value.items():
            check = every.get(name, others)
            if check is None:
                return f"{at} has an unknown field {_short(name)}"
            if problem := check(item, f"{at}.{name}"):
                return problem
        return None

    return checked


def one_of(kinds: Mapping[str, Check]) -> Check:
    """A mapping with one name, which selects the check of its value."""

    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, dict) or len(value) != 1 or not kinds.keys() & value.keys():
            return f"{at} should have one field of {', '.join(kinds)}, got {_short(value)}"
        ((name, item),) = value.items()
        return kinds[name](item, f"{at}.{name}")

    return checked


def rows(value: Any, at: str) -> str | None:
    """Epochs in ascending order, each a mapping of numbers, flags and nulls."""
    if not isinstance(value, list):
        return f"{at} should be a list, got {_short(value)}"
    last = 0
    for i, row in enumerate(value):
        if not isinstance(row, dict):
            return f"{at}[{i}] should be an object, got {_short(row)}"
        epoch = row.get("epoch")
        if type(epoch) is not int or not last < epoch <= MOST_EPOCHS:
            return f"{at}[{i}].epoch should lie in ({last}, {MOST_EPOCHS}], got {_short(epoch)}"
        last = epoch
        for name, item in row.items():
            kind = type(item)
            if (kind is float and not math.isfinite(item)) or kind not in (float, int, bool):
                if item is not None:
                    return f"{at}[{i}].{name} should be a finite number, got {_short(item)}"
            elif kind is int and abs(item) > MOST_WHOLE:
                return f"{at}[{i}].{name} should have at most 64 bits, got {_short(item)}"
    return None


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, _SCALARS) and (type(value) is not int or abs(value) <= MOST_WHOLE)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and _is_scalar(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}.."


TEXT = holds("text", lambda v: isinstance(v, str))
FLAG = holds("true or false", lambda v: isinstance(v, bool))
NUMBER = holds("a finite number", _is_number)
SCALAR = holds("a finite number, a flag, text or null", _is_scalar)
ANY: Check = lambda value, at: None  # noqa: E731 (a check like the others)
TRIAL_ID = matches("a trial id", r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SHA256 = matches("a sha256 of 64 hexadecimal digits", r"[0-9a-f]{64}")
ARITHMETIC = matches("an arithmetic of 8 hexadecimal digits", r"[0-9a-f]{8}")
PREPARATION_KEY = matches("a preparation's key", NAMES["preparation"])
FILE = matches("the name of a file", r"[a-z0-9_]{1,64}\.(json|safetensors)")
EPOCH = whole(1, MOST_EPOCHS)
OBJECT = mapping_of(ANY)
_JUDGED = {
    "metric": TEXT,
    "mode": holds("'min' or 'max'", lambda v: v in ("min", "max")),
    "max_t": or_null(EPOCH),
}
_HALVING = {**_JUDGED, "grace_period": EPOCH, "reduction_factor": whole(2, 10**6)}
_SCHEDULER = one_of(
    {
        "asha": with_fields({**_HALVING, "block": whole(1), "lag": whole(0)}, {}, ANY),
        "i_epoch": with_fields({**_JUDGED, "epochs": EPOCH, "finish": whole(1)}, {}, ANY),
        "stock_asha": with_fields(_HALVING, {}, ANY),
        "median": with_fields({}, _JUDGED, ANY),
        "hyperband": with_fields({}, _JUDGED, ANY),
        "pbt": with_fields({}, _JUDGED, ANY),
    }
)
MANIFEST = with_fields(
    {
        "name": TEXT,
        "experiment": TEXT,
        "started": TEXT,
        "trials": or_null(whole(0)),
        "space": OBJECT,
        "when": OBJECT,
        "study": with_fields({"training": with_fields({"epochs": EPOCH}, {}, ANY)}, {}, ANY),
        "search": with_fields({"num_samples": or_null(whole(1)), "seed": whole(0)}, {}, ANY),
        "scheduler": or_null(_SCHEDULER),
        "rungs": list_of(EPOCH, most=bounds.RUNGS),
        "audit": holds("a share in [0, 1]", lambda v: _is_number(v) and 0 <= v <= 1),
        "resources": with_fields({"cpu": NUMBER, "gpu": NUMBER}),
        "seeds": list_of(whole(0)),
        "preparations": mapping_of(OBJECT, PREPARATION_KEY),
        "core_sha256": TEXT,
        "git": or_null(OBJECT),
        "versions": with_fields({"torch": TEXT}, {}, TEXT),
        "python": TEXT,
        "platform": TEXT,
        "device": TEXT,
        "arithmetic": mapping_of(mapping_of(TEXT)),
    },
    {"until_decided": or_null(TEXT)},
)
