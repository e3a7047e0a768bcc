"""Domains in the syntax of other tools, for the cures of messages; they are not accepted."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import TypeGuard

from search_spaces import calls
from search_spaces.yaml_text import too_large

Tree = dict[str, object]

_LONGEST = 2000
_CALL = re.compile(r"~?\s*(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_SEPARATORS = re.compile(r"\s*[,;|]\s*|\s+")
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_SPAN = re.compile(rf"({_NUMBER})\s*(?:-|\.\.\.?|:|to|\u2026)\s*({_NUMBER})")
_NAMED = re.compile(r"~?([A-Za-z]\w*)[\s:]+([-+.0-9].*)")
_LISTS = """
    grid gridsearch choice choices values value categorical options list array set tuple
    categories suggestcategorical sort shuffle
"""
_RANGES = {
    "uniform": "uniform float real double interval suggestfloat continuous suggestuniform "
    "quniform floatdistribution discreteuniform suggestdiscreteuniform range bounds u",
    "loguniform": "loguniform loguniformvalues qloguniform reciprocal log suggestloguniform "
    "qloguniformvalues",
    "randint": "randint int integer qrandint lograndint suggestint intuniform intdistribution "
    "quantizedrandint uniformint quniformint",
}
_KINDS = {name: kind for kind, names in _RANGES.items() for name in names.split()}
# Both ends are included, unlike here, where the upper is exclusive.
_CLOSED = ("suggestint", "integer", "int", "intuniform", "intdistribution", "uniformint")
_LOW = ("low", "min", "lower", "start", "from", "minval", "minvalue", "a", "minimum", "loc")
_HIGH = ("high", "max", "upper", "stop", "to", "maxval", "maxvalue", "b", "maximum", "end")
_LISTED = ("grid", "choice", "values", "gridsearch", "choices", "options", "categories")


def suggestion(written: object) -> Tree | None:
    """Domain that ``written`` probably stands for, as ``{kind: arguments}``; None if unclear.

    It is not checked: its values may have several types or duplicates.
    """
    if isinstance(written, str):
        return _from_text(written)
    if isinstance(written, Mapping):
        return _from_mapping(written)
    if written is None:
        return None
    if isinstance(written, list | tuple) and len(written) == 1 and isinstance(written[0], str):
        return _from_text(written[0])  # [1 2], where YAML has no comma
    return {"grid": values(written)}


def values(written: object) -> list[object]:
    """Values of a list in any syntax: numbers read from text, of one type, without duplicates."""
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
    """Number, true, false or null from its text; else ``item``."""
    if not isinstance(item, str):
        return item
    text = item.strip().strip("'\"").strip()
    digits = text.removesuffix("%").rstrip().replace("_", "")
    if re.fullmatch(_NUMBER, digits):
        if text.endswith("%"):
            return float(f"{float(digits) / 100:.12g}")
        value = float(digits)
        return int(digits) if digits.lstrip("+-").isdigit() and math.isfinite(value) else value
    return {"true": True, "false": False, "null": None, "none": None}.get(text.lower(), text)


def _member(item: object) -> object:
    if isinstance(item, list | tuple):
        return [
            scalar(member) for member in item if not isinstance(member, list | tuple | Mapping)
        ]
    return scalar(item)


def _of_one_type(items: Iterable[object]) -> list[object]:
    """Values of the type of the first, without duplicates, as required by a grid."""

    def kind(item: object) -> object:
        if isinstance(item, bool | str | list):
            return type(item)
        return "number" if isinstance(item, int | float) else Mapping

    usable = [i for i in items if not isinstance(i, Mapping)]
    usable = [i for i in usable if not isinstance(i, int | float) or not too_large(i)]
    first = next((kind(i) for i in usable if i is not None), None)
    members: list[object] = []
    for item in usable:
        if (item is None or kind(item) == first) and item not in members:
            members.append(item)
    return members[: calls.MOST_LISTED]


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
    if (named := _NAMED.fullmatch(text)) and (kind := named[1].lower()) in _KINDS:
        return _from_arguments(kind, _split(named[2].replace(":", " ")))
    return {"grid": _split(text)}


def _split(text: str) -> list[object]:
    parts = [scalar(part) for part in _SEPARATORS.split(text) if part]
    numbers = [part for part in parts if not isinstance(part, str)]
    # Blanks separate numbers, but not the words of a text.
    if "," in text or ";" in text or "|" in text or len(numbers) == len(parts):
        return _of_one_type(parts)
    return [scalar(text)]


def _between(low: object, high: object) -> Tree | None:
    """Numbers from ``low`` to ``high``; whole numbers in steps of 1."""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    if isinstance(low, int) and isinstance(high, int) and 0 < high - low < calls.MOST_LISTED:
        return {"grid": list(range(low, high + 1))}
    return _spanned("uniform", low, high)


def _spanned(kind: str, low: object, high: object) -> Tree | None:
    """Range of ``kind``, or of the nearest kind that allows its ends."""
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
    keys = [name for name in items if name in (*_LISTED, *_RANGES)]
    if items and not keys and all(value is None for value in items.values()):
        # A set in Python's syntax, or a call that YAML split at its commas.
        return _from_text(", ".join(items))
    name, pieces = _pieces(items)
    if pieces and (domain := _from_pieces(name, pieces)):
        return domain
    items = {re.sub("[^a-z]", "", name.lower()): item for name, item in items.items()}
    if "type" in items and "value" in items and (kind := str(items["type"]).lower()) in _KINDS:
        return _of_kind(kind, items["value"])
    for name in _LISTED:
        if name in items and (listed := values(items[name])):
            return {"choice" if name == "choice" else "grid": listed}
    description = " ".join(str(v).lower() for v in items.values() if isinstance(v, str))
    logarithmic = "log" in description or any("log" in k and v is True for k, v in items.items())
    low = next((scalar(items[name]) for name in _LOW if name in items), None)
    high = next((scalar(items[name]) for name in _HIGH if name in items), None)
    if low is not None and high is not None:
        whole = isinstance(low, int) and isinstance(high, int) and not logarithmic
        if whole and not re.search("uniform|float|real|double", description.replace("int_u", "")):
            return _spanned("randint", low, int(high) + 1 if isinstance(high, int) else high)
        return _spanned("loguniform" if logarithmic else "uniform", low, high)
    # A list takes precedence over a word, which may only describe it.
    for name, inner in sorted(items.items(), key=lambda i: not isinstance(i[1], list | Mapping)):
        describes = name in ("type", "name", "distribution", "parameter")
        if (not describes or len(items) == 1) and (domain := _of_kind(name, inner)):
            ends = domain.get("uniform")
            return _spanned("loguniform", *ends) if logarithmic and _pair(ends) else domain
    return None


def _pieces(items: Mapping[str, object]) -> tuple[str, list[str]]:
    """Text that YAML split at commas: ``{grid: range(0, 5)}`` is {grid: "range(0", "5)": null}."""
    (name, first), *remainder = items.items() or [("", None)]
    texts = [k for k, v in remainder if v is None]
    if isinstance(first, str | int | float) and texts and len(texts) == len(remainder):
        return name, [str(first), *texts]
    return name, []


def _from_pieces(name: str, pieces: list[str]) -> Tree | None:
    text = ", ".join(pieces)
    kind = name.lower().replace("_", "")
    if kind in _KINDS and not _CALL.fullmatch(text):
        return _from_arguments(kind, _split(text.strip("()[]{} ")))
    return _from_text(text)


def _of_kind(name: str, inner: object) -> Tree | None:
    """Domain of ``{name: inner}`` where ``name`` is a kind in the syntax of another tool."""
    plain = re.sub("[^a-z]", "", name.lower())
    if isinstance(inner, Mapping):
        return _from_mapping({**inner, "distribution": name})
    if plain in _KINDS and isinstance(inner, list | tuple):
        arguments = [scalar(item) for item in inner if not isinstance(item, list | Mapping)]
        return _from_arguments(plain, arguments, exponents=False)
    if plain in _KINDS and isinstance(inner, str):
        if ends := _SPAN.fullmatch(inner.strip()):
            return _from_arguments(plain, [scalar(ends[1]), scalar(ends[2])], exponents=False)
        return _from_arguments(plain, _split(inner), exponents=False) or _from_text(inner)
    listed = values(inner) if inner is not None else []
    return {"grid": listed} if listed else None


def _from_call(name: str, text: str) -> Tree | None:
    if (parsed := calls.arguments(text)) is None:
        return None
    arguments, named = parsed
    plain = re.sub("[^a-z]", "", name.lower())
    if len(arguments) > 1 and isinstance(arguments[0], str) and not isinstance(arguments[1], str):
        arguments = arguments[1:]  # the name of the parameter, as in hyperopt and Optuna
    if plain in calls.SEQUENCES:
        numbers = [a for a in [*arguments, *named.values()] if isinstance(a, int | float)]
        try:
            return {"grid": _of_one_type(calls.SEQUENCES[plain](*numbers))}
        except (TypeError, ValueError, OverflowError, ZeroDivisionError):
            return None
    ends = [named[n] for n in (*_LOW, *_HIGH) if n in named]
    if isinstance(low := named.get("loc", 0), int | float) and "scale" in named:
        ends = [low, low + scale] if isinstance(scale := named["scale"], int | float) else ends
    arguments += ends or [v for v in named.values() if isinstance(v, list) and not arguments]
    if named.get("log") is True or named.get("prior") == "log-uniform":
        plain = "loguniform"
    if plain in _KINDS:
        return _from_arguments(plain, arguments)
    if plain in _LISTS.split() or plain.endswith(("choice", "distribution")):
        only = arguments[0] if len(arguments) == 1 else None
        if isinstance(only, str) and _CALL.fullmatch(only):
            return _from_text(only)  # shuffle(range(1, 5)) of Hydra
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
        low, high = math.exp(low), math.exp(high)  # exponents, as in hyperopt
    if plain in _CLOSED and isinstance(high, int):
        high += 1
    return _spanned(kind, low, high)


def _pair(ends: object) -> TypeGuard[list[object]]:
    return isinstance(ends, list) and len(ends) == 2
