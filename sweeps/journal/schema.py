"""Schema of the log: fields, types and bounds of every kind of record.

A check returns None, or what is wrong with a value, beginning with its path in the record.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from sweeps.journal import bounds
from sweeps.journal.layout import NAMES

Check = Callable[[Any, str], str | None]

MOST_EPOCHS = 1_000_000
"""Epochs of a trial at most; no training comes near."""
MOST_WHOLE = 2**63 - 1
"""Whole numbers at most; the tables hold 64 bits."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FILE = re.compile(r"[a-z0-9_]{1,64}\.(json|safetensors)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARITHMETIC = re.compile(r"[0-9a-f]{8}")
_SCALARS = (bool, int, float, str, type(None))


def _is(expected: str, holds: Callable[[Any], bool]) -> Check:
    def check(value: Any, at: str) -> str | None:
        return None if holds(value) else f"{at} should be {expected}, got {_short(value)}"

    return check


def _matches(expected: str, pattern: re.Pattern[str]) -> Check:
    return _is(expected, lambda v: isinstance(v, str) and pattern.fullmatch(v) is not None)


def _whole(low: int, high: int = MOST_WHOLE) -> Check:
    return _is(f"a whole number in [{low}, {high}]", lambda v: type(v) is int and low <= v <= high)


def _or_null(check: Check) -> Check:
    return lambda value, at: None if value is None else check(value, at)


def _list(check: Check, *, most: int = MOST_WHOLE) -> Check:
    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, list):
            return f"{at} should be a list, got {_short(value)}"
        if len(value) > most:
            return f"{at} should have at most {most} items, got {len(value)}"
        problems = (check(item, f"{at}[{i}]") for i, item in enumerate(value))
        return next(filter(None, problems), None)

    return checked


def _mapping(check: Check, names: Check | None = None) -> Check:
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


def _fields(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    others: Check | None = None,
) -> Check:
    """A mapping with these fields; with any further ones only if ``others`` checks them."""
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


def _one_of(kinds: Mapping[str, Check]) -> Check:
    """A mapping of one name, which says what its value is."""

    def checked(value: Any, at: str) -> str | None:
        if not isinstance(value, dict) or len(value) != 1 or not kinds.keys() & value.keys():
            return f"{at} should have one field of {', '.join(kinds)}, got {_short(value)}"
        ((name, item),) = value.items()
        return kinds[name](item, f"{at}.{name}")

    return checked


def _rows(value: Any, at: str) -> str | None:
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


_TEXT = _is("text", lambda v: isinstance(v, str))
_FLAG = _is("true or false", lambda v: isinstance(v, bool))
_NUMBER = _is("a finite number", _is_number)
_SCALAR = _is("a finite number, a flag, text or null", _is_scalar)
_ANY: Check = lambda value, at: None  # noqa: E731 (a check like the others)
_ID = _matches("a trial id", _NAME)
_HASH = _matches("a sha256 of 64 hexadecimal digits", _SHA256)
_EPOCH = _whole(1, MOST_EPOCHS)
_OBJECT = _mapping(_ANY)
_JUDGED = {
    "metric": _TEXT,
    "mode": _is("'min' or 'max'", lambda v: v in ("min", "max")),
    "max_t": _or_null(_EPOCH),
}
_HALVING = {**_JUDGED, "grace_period": _EPOCH, "reduction_factor": _whole(2, 10**6)}
_SCHEDULER = _one_of(
    {
        "asha": _fields({**_HALVING, "block": _whole(1), "lag": _whole(0)}, {}, _ANY),
        "stock_asha": _fields(_HALVING, {}, _ANY),
        "median": _fields({}, _JUDGED, _ANY),
        "hyperband": _fields({}, _JUDGED, _ANY),
        "pbt": _fields({}, _JUDGED, _ANY),
    }
)
_MANIFEST = _fields(
    {
        "name": _TEXT,
        "experiment": _TEXT,
        "started": _TEXT,
        "trials": _or_null(_whole(0)),
        "space": _OBJECT,
        "when": _OBJECT,
        "study": _fields({"training": _fields({"epochs": _EPOCH}, {}, _ANY)}, {}, _ANY),
        "search": _fields({"num_samples": _or_null(_whole(1)), "seed": _whole(0)}, {}, _ANY),
        "scheduler": _or_null(_SCHEDULER),
        "rungs": _list(_EPOCH, most=bounds.RUNGS),
        "audit": _is("a share in [0, 1]", lambda v: _is_number(v) and 0 <= v <= 1),
        "resources": _fields({"cpu": _NUMBER, "gpu": _NUMBER}),
        "seeds": _list(_whole(0)),
        "preparations": _mapping(_OBJECT, _matches("a preparation's key", NAMES["preparation"])),
        "core_sha256": _TEXT,
        "git": _or_null(_OBJECT),
        "versions": _fields({"torch": _TEXT}, {}, _TEXT),
        "python": _TEXT,
        "platform": _TEXT,
        "device": _TEXT,
        "arithmetic": _mapping(_mapping(_TEXT)),
    }
)
_ENDED = _fields(
    {"status": _is("'completed' or 'failed'", lambda v: v in ("completed", "failed"))},
    {"error": _TEXT, "model": _HASH, "truncated": _FLAG, "diverged": _FLAG},
    _SCALAR,
)
_DECISION = _fields(
    {
        "trials": _list(_ID),
        "epoch": _whole(0, MOST_EPOCHS),
        "goes_on": _FLAG,
        "ended": _FLAG,
        "value": _or_null(_NUMBER),
    },
    {"group": _TEXT, "rank": _whole(1), "of": _whole(1), "reason": _TEXT},
)


def _decision(value: Any, at: str) -> str | None:
    problem = _DECISION(value, at)
    if problem or value.get("reason"):
        return problem
    if "group" not in value:
        return f"{at} lacks 'group'"
    if value["goes_on"] or value["ended"]:
        return None
    judged = value["value"] is not None
    return f"{at} lacks 'rank' or 'of'" if judged and not {"rank", "of"} <= value.keys() else None


RECORDS: Mapping[str, Check] = {
    "start": _fields({"core": _TEXT, "format": _whole(1)}, {}, _ANY),
    "manifest": _fields({"content": _MANIFEST, "space": _TEXT}),
    "prepared": _fields(
        {
            "key": _matches("a preparation's key", NAMES["preparation"]),
            "identity": _HASH,
            "files": _mapping(_HASH, _matches("the name of a file", _FILE)),
        }
    ),
    "trial": _fields(
        {
            "trial_id": _ID,
            "index": _whole(0),
            "config": _OBJECT,
            "group": _TEXT,
            "stratum": _TEXT,
            "replicate": _SCALAR,
            "limit": _EPOCH,
        },
        {},
        _SCALAR,
    ),
    "begin": _fields({"trial_id": _ID, "epoch": _whole(0, MOST_EPOCHS)}, {"at": _NUMBER}),
    "segment": _fields(
        {"trial_id": _ID, "rows": _rows},
        {
            "facts": _mapping(_SCALAR),
            "end": _ENDED,
            "checkpoint": _HASH,
            "arithmetic": _matches("an arithmetic of 8 hexadecimal digits", _ARITHMETIC),
            "at": _NUMBER,
        },
    ),
    "lost": _fields({"trial_id": _ID, "error": _TEXT, "node": _FLAG}, {"at": _NUMBER}),
    "decision": _decision,
    "audit": _fields({"group": _TEXT, "trials": _list(_ID)}),
    "withdrawn": _fields({"trials": _list(_ID)}),
    "proposal": _fields(
        {"number": _whole(0), "basis": _TEXT, "config": _OBJECT, "attributes": _OBJECT}
    ),
    "closed": _fields({}),
    "warm": _fields(
        {"asked": _TEXT, "rows": _list(_is("a pair", lambda v: _is_pair(v)))},
    ),
    "close": _fields({}),
}
"""The check of every kind of record, which gets it without its ``type``."""


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], dict)
        and isinstance(value[1], list)
        and all(map(_is_number, value[1]))
    )
