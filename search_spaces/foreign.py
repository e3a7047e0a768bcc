"""Domains as other tools spell them, for the cures of messages; none is accepted as it is."""

import math
import re
from collections.abc import Iterable, Mapping

from . import calls
from .writing import NUMBER, too_large

Tree = dict[str, object]

_LONGEST = 2000
_CALL = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_SEPARATORS = re.compile(r"\s*[,;|]\s*|\s+")
_NUMERAL = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_SPAN = re.compile(rf"({_NUMERAL})\s*(?:-|\.\.\.?|:|to|\u2026)\s*({_NUMERAL})")
_LISTS = """
    grid gridsearch choice choices values value categorical options list array set tuple
    categories suggestcategorical sort shuffle
"""
_RANGES = {
    "uniform": "uniform float real double interval suggestfloat continuous suggestuniform "
    "quniform floatdistribution discreteuniform range bounds",
    "loguniform": "loguniform loguniformvalues qloguniform reciprocal log suggestloguniform "
    "qloguniformvalues",
    "randint": "randint int integer qrandint lograndint suggestint intuniform intdistribution "
    "quantizedrandint",
}
_KINDS = {name: kind for kind, names in _RANGES.items() for name in names.split()}
# Both ends are drawn, where here the upper is not.
_CLOSED = ("suggestint", "integer", "int", "intuniform", "intdistribution")
_LOW = ("low", "min", "lower", "start", "from", "minval", "a", "minimum", "loc")
_HIGH = ("high", "max", "upper", "stop", "to", "maxval", "b", "maximum", "end")
_LISTED = ("grid", "choice", "values", "grid_search", "choices", "options", "categories", "_value")


def suggestion(written: object) -> Tree | None:
    """The domain that ``written`` hardly stands for, as ``{kind: arguments}``; None for no idea.

    It is not checked: its values may be of several types, or repeated.
    """
    if isinstance(written, str):
        return _from_text(written)
    if isinstance(written, Mapping):
        return _from_mapping(written)
    if written is None:
        return None
    return {"grid": values(written)}


def values(written: object) -> list[object]:
    """The values of a list in whatever spelling: numbers out of text, of one type, none twice."""
    if isinstance(written, str):
        domain = _from_text(written) or {}
        listed = domain.get("grid", [scalar(written)])
        flat = listed if isinstance(listed, list) else [scalar(written)]
    elif isinstance(written, Mapping):
        inner = _from_mapping(written) or {}
        listed = inner.get("grid", [])
        flat = listed if isinstance(listed, list) else []
    elif isinstance(written, list | tuple):
        flat = [_member(item) for item in written]
    else:
        flat = [] if written is None else [scalar(written)]
    return _of_one_type(flat)


def scalar(item: object) -> object:
    """A number, true, false or null for the text of one; else ``item``."""
    if not isinstance(item, str):
        return item
    text = item.strip().strip("'\"").strip()
    match = NUMBER.fullmatch(text)
    if match and (match[2] or match[4]):
        value = float(text.replace("_", ""))
        whole = not match[3] and not match[6] and math.isfinite(value)
        return int(text.replace("_", "")) if whole else value
    return {"true": True, "false": False, "null": None, "none": None}.get(text.lower(), text)


def _member(item: object) -> object:
    if isinstance(item, list | tuple):
        return [
            scalar(member) for member in item if not isinstance(member, list | tuple | Mapping)
        ]
    return scalar(item)


def _of_one_type(items: Iterable[object]) -> list[object]:
    """Those of the type of the first, none twice, as a grid wants them."""

    def kind(item: object) -> object:
        if isinstance(item, bool | str | list):
            return type(item)
        return "number" if isinstance(item, int | float) else Mapping

    usable = [i for i in items if not isinstance(i, Mapping)]
    usable = [i for i in usable if not isinstance(i, int | float) or not too_large(i)]
    first = next((kind(i) for i in usable if i is not None), None)
    kept: list[object] = []
    for item in usable:
        if (item is None or kind(item) == first) and item not in kept:
            kept.append(item)
    return kept[: calls.MOST_LISTED]


def _from_text(text: str) -> Tree | None:
    text = text.strip()
    if len(text) > _LONGEST or not text:
        return None
    if call := _CALL.fullmatch(text):
        return _from_call(call[1], call[2])
    if text[0] in "[({" and text[-1] in "])}":
        inner = text[1:-1].strip()
        return _from_call("list", inner) or {"grid": _split(inner)}
    if ends := _SPAN.fullmatch(text):
        return _between(scalar(ends[1]), scalar(ends[2]))
    return {"grid": _split(text)}


def _split(text: str) -> list[object]:
    parts = [scalar(part) for part in _SEPARATORS.split(text) if part]
    numbers = [part for part in parts if not isinstance(part, str)]
    # Blanks part numbers, but not the words of a text.
    if "," in text or ";" in text or "|" in text or len(numbers) == len(parts):
        return _of_one_type(parts)
    return [scalar(text)]


def _between(low: object, high: object) -> Tree | None:
    """The numbers from ``low`` to ``high``: whole ones one by one."""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if isinstance(low, int) and isinstance(high, int) and 0 < high - low < calls.MOST_LISTED:
        return {"grid": list(range(low, high + 1))}
    return _spanned("uniform", low, high)


def _spanned(kind: str, low: object, high: object) -> Tree | None:
    """A range of ``kind``, or the nearest kind that can hold its ends."""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if too_large(low) or too_large(high) or isinstance(low, bool) or isinstance(high, bool):
        return None
    low, high = min(low, high), max(low, high)
    if low == high:
        return {"grid": [low]}
    if kind == "randint" and not (float(low).is_integer() and float(high).is_integer()):
        kind = "uniform"
    if kind == "randint":
        return {kind: [int(low), int(high)]}
    if kind == "loguniform" and high <= 0:
        kind = "uniform"
    if kind == "loguniform" and low <= 0:
        low = min(1e-6, high / 2)
    return {kind: [low, high]} if math.isfinite(high - low) else {"grid": [low, high]}


def _from_mapping(written: Mapping[object, object]) -> Tree | None:
    items = {str(k).strip(): v for k, v in written.items() if k != "when"}
    known = [name for name in items if name in (*_LISTED, *_RANGES)]
    if items and not known and all(value is None for value in items.values()):
        # A set in Python's spelling, or a call that YAML took apart at its commas.
        return _from_text(", ".join(items))
    lines = [f"{k}, {', '.join(r)}" for k, r in [_pieces(items)] if r]
    if lines:
        return _from_text(lines[0].split("\0", 1)[1])
    for name in _LISTED:
        if name in items and (listed := values(items[name])):
            return {"choice" if name == "choice" else "grid": listed}
    low = next((scalar(items[name]) for name in _LOW if name in items), None)
    high = next((scalar(items[name]) for name in _HIGH if name in items), None)
    if low is not None and high is not None:
        described = " ".join(str(v).lower() for k, v in items.items() if isinstance(v, str))
        logarithmic = items.get("log") is True or "log" in described
        whole = isinstance(low, int) and isinstance(high, int) and not logarithmic
        if whole and not re.search("uniform|float|real|double", described.replace("int_u", "")):
            return _spanned("randint", low, int(high) + 1 if isinstance(high, int) else high)
        return _spanned("loguniform" if logarithmic else "uniform", low, high)
    for name, inner in items.items():
        describes = name in ("type", "name", "distribution", "parameter", "_type")
        if (not describes or len(items) == 1) and (domain := _of_kind(name, inner)):
            return domain
    return None


def _pieces(items: Mapping[str, object]) -> tuple[str, list[str]]:
    """What commas took apart: ``{grid: range(0, 5)}`` is {grid: "range(0", "5)": null} in YAML."""
    (name, first), *rest = items.items() or [("", None)]
    texts = [k for k, v in rest if v is None]
    if isinstance(first, str | int | float) and texts and len(texts) == len(rest):
        return f"{name}\0{first}", texts
    return name, []


def _of_kind(name: str, inner: object) -> Tree | None:
    """The domain of ``{name: inner}`` where ``name`` is a kind in some tool's spelling."""
    plain = re.sub("[^a-z]", "", name.lower())
    if isinstance(inner, Mapping):
        return _from_mapping({**inner, "distribution": name})
    if plain in _KINDS and isinstance(inner, list | tuple):
        arguments = [scalar(item) for item in inner if not isinstance(item, list | Mapping)]
        return _from_arguments(plain, arguments, exponents=False)
    if plain in _KINDS and isinstance(inner, str):
        return _from_arguments(plain, _split(inner), exponents=False) or _from_text(inner)
    listed = values(inner) if inner is not None else []
    return {"grid": listed} if listed else None


def _from_call(name: str, text: str) -> Tree | None:
    if (parsed := calls.arguments(text)) is None:
        return None
    arguments, named = parsed
    plain = re.sub("[^a-z]", "", name.lower())
    if len(arguments) > 1 and isinstance(arguments[0], str) and not isinstance(arguments[1], str):
        arguments = arguments[1:]  # the name of the parameter, as hyperopt and Optuna have it
    if plain in calls.SEQUENCES:
        numbers = [a for a in [*arguments, *named.values()] if isinstance(a, int | float)]
        try:
            return {"grid": _of_one_type(calls.SEQUENCES[plain](*numbers))}
        except (TypeError, ValueError, OverflowError, ZeroDivisionError):
            return None
    ends = [named[n] for n in (*_LOW, *_HIGH) if n in named]
    arguments += ends or [v for v in named.values() if isinstance(v, list) and not arguments]
    if named.get("log") is True or named.get("prior") == "log-uniform":
        plain = "loguniform"
    if plain in _KINDS:
        return _from_arguments(plain, arguments)
    if plain in _LISTS.split() or plain.endswith(("choice", "distribution")):
        only = arguments[0] if len(arguments) == 1 else None
        listed = _of_one_type(_member(a) for a in (only if isinstance(only, list) else arguments))
        return {"grid": listed} if listed else None
    return None


def _from_arguments(plain: str, arguments: list[object], *, exponents: bool = True) -> Tree | None:
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return _from_text(arguments[0])  # int(interval(1, 5)) of Hydra
    numbers = [a for a in arguments if isinstance(a, int | float)]
    if len(numbers) == 1:
        numbers = [0, *numbers]
    if len(numbers) < 2:
        return None
    low, high = numbers[:2]
    kind = _KINDS[plain]
    if exponents and kind == "loguniform" and low <= 0 and high < 50:
        low, high = math.exp(low), math.exp(high)  # exponents, as hyperopt has it
    if plain in _CLOSED and isinstance(high, int):
        high += 1
    return _spanned(kind, low, high)
