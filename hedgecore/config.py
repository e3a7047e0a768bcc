"""Frozen dataclasses from plain mappings, and a fingerprint of what they mean.

A configuration is defined once, as a dataclass; YAML, overrides and trials supply mappings. Every
mistake becomes a :class:`ConfigError` with the dotted key, to which callers add file and line.
"""

import dataclasses
import hashlib
import json
import math
import re
import types
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hedgecore.errors import HedgesweepError
from hedgecore.readings import readings
from hedgecore.registry import suggestion, unknown

C = TypeVar("C")
_SCALARS = frozenset({bool, int, float, str, tuple, type(None)})

# Between them float32 can square a number and divide by the square.
LARGEST, SMALLEST = 1e15, 1e-15
"""Bounds on the absolute value of a nonzero real number in a configuration."""
MOST = 1_000_000_000
"""Bound on the absolute value of a whole number in a configuration."""


class ConfigError(HedgesweepError, ValueError):
    """Invalid value in a configuration.

    Args:
        key: its dotted path.
        problem: condition and value.
        write: (value,) to write instead; None where none is known.
        rename: key that an unknown key may stand for; "" for none.
    """

    def __init__(
        self, key: str, problem: str, *, write: tuple[Any] | None = None, rename: str = ""
    ) -> None:
        self.key = key
        self.problem = problem
        self.write = write
        self.rename = rename
        super().__init__(f"{key}: {problem}" if key else problem)


def from_mapping(
    cls: type[C], mapping: Mapping[str, Any], *, key: str = "", base: C | None = None
) -> C:
    """Instance of the dataclass ``cls``, nested like ``mapping``.

    Args:
        cls: a frozen dataclass; its annotations are the schema.
        mapping: values by field name.
        key: dotted path of ``mapping`` in its document, for messages.
        base: an instance from which missing fields take their values.
    Raises:
        ConfigError: unknown or missing key, wrong type, or a value that ``cls`` rejects.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(key, f"expected a mapping of settings, got {_quote(mapping)}")
    fields, hints = _fields(cls), _hints(cls)  # type: ignore[arg-type]
    values = {}
    for name, value in mapping.items():
        path = _join(key, str(name))
        if name not in fields:
            problem = unknown(str(name), fields, kind="key")
            raise ConfigError(path, problem, rename=suggestion(name, fields) or "")
        try:
            values[name] = _convert(hints[name], value, path)
        except ConfigError as error:
            if error.write is None and not error.key.startswith(f"{path}."):
                error.key, error.write = path, _fitting(fields[name], hints[name], value)
            raise
    for name, field in fields.items():
        required = field.default is field.default_factory is dataclasses.MISSING
        if base is not None:
            values.setdefault(name, getattr(base, name))
        elif required and name not in values:
            raise ConfigError(_join(key, name), "is required and has no default; add it")
    try:
        return cls(**values)
    except ConfigError:
        raise
    except (ValueError, ArithmeticError) as error:
        too_large = f"its numbers are too large or too small to compute with ({error})"
        text = too_large if isinstance(error, ArithmeticError) else str(error)
        name, write = _culprit(cls, values, fields, text)
        raise ConfigError(_join(key, name) if name else key, text, write=write) from error


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain nested mapping that :func:`from_mapping` turns back into ``config``."""
    return _mapping(config, only=_fields(type(config)))  # type: ignore[arg-type]


def fingerprint(config: Any) -> str:
    """sha256 (hex) of the values in ``config`` that differ from their defaults.

    A field added later leaves every fingerprint unchanged if its default keeps the behaviour.
    """
    return digest(_without_defaults(config))


def digest(value: Any) -> str:
    """sha256 (hex) of plain data, written as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def replaced(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Copy of the nested ``mapping`` with ``value`` at the dotted ``path``."""
    head, _, tail = path.partition(".")
    if not tail:
        return {**mapping, head: value}
    inner = mapping.get(head, {})
    if not isinstance(inner, Mapping):
        raise ConfigError(head, f"holds {_quote(inner)}, so {path!r} cannot be set below it")
    return {**mapping, head: replaced(inner, tail, value)}


# A sweep makes thousands of configurations of the same few classes.
@cache
def _fields(cls: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(cls)}


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _mapping(config: Any, *, only: Collection[str]) -> dict[str, Any]:
    names = [name for name in _fields(type(config)) if name in only]  # type: ignore[arg-type]
    return {name: _plain(getattr(config, name)) for name in names}


def _culprit(
    cls: type[Any], values: Mapping[str, Any], fields: Mapping[str, Any], text: str
) -> tuple[str, tuple[Any] | None]:
    """The field that ``cls`` rejects ("" if unknown), and a value that it accepts instead."""
    # The first word of a dataclass's message is the offending field; else its value is in it.
    first = text.split(" ", 1)[0]
    suggestions = re.findall("did you mean '([^']*)'", text)
    for name in [first] if first in fields else values:
        for candidate in [*suggestions, _default(fields[name])]:
            try:
                cls(**{**values, name: candidate})
            except (ValueError, TypeError, ArithmeticError, AttributeError):
                continue
            return name, ({} if dataclasses.is_dataclass(candidate) else _plain(candidate),)
    return first if first in fields else "", None


def _fitting(field: Any, hint: Any, value: Any) -> tuple[Any] | None:
    """The value that ``value`` is likely to stand for, or the default of its field."""
    default = _default(field)
    candidates = [*readings(value), {} if dataclasses.is_dataclass(default) else _plain(default)]
    if isinstance(value, str):
        names = [choice for choice in get_args(hint) if isinstance(choice, str)]
        candidates = [*filter(None, [suggestion(value.lower(), names)]), *candidates]
    for candidate in candidates:
        try:
            _convert(hint, candidate, "")
        except ConfigError:
            continue
        return (candidate,)
    return None


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _without_defaults(config: Any) -> dict[str, Any]:
    changes = {}
    for name, field in _fields(type(config)).items():  # type: ignore[arg-type]
        value = getattr(config, name)
        if type(value) not in _SCALARS and dataclasses.is_dataclass(value):
            if inner := _without_defaults(value):
                changes[name] = inner
            continue
        if field.default is dataclasses.MISSING or value != field.default:
            changes[name] = _plain(value)
    return changes


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return to_mapping(value) if dataclasses.is_dataclass(value) else value


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _quote(value: Any) -> str:
    kinds = {bool: "true/false", int: "a whole number", float: "a number", str: "text"}
    kinds |= {tuple: "a list", list: "a list", type(None): "nothing"}
    default = "keys and values" if isinstance(value, Mapping) else f"a {type(value).__name__}"
    text = _written(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{text} ({kinds.get(type(value), default)})"


def _written(value: Any) -> str:
    """``value`` as in YAML."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {_written(v)}' for k, v in value.items())}}}"
    return repr(value)


def _convert(hint: Any, value: Any, key: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = [a for a in get_args(hint) if a is not type(None)]
        if value is None and len(inner) < len(get_args(hint)):
            return None
        assert len(inner) == 1, "configurations know optional types, not general unions"
        return _convert(inner[0], value, key)
    if origin is Literal:
        if value not in get_args(hint):
            raise ConfigError(key, unknown(str(value), map(str, get_args(hint)), kind="choice"))
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(key, f"expected a list such as [..], got {_quote(value)}")
        return tuple(_convert(get_args(hint)[0], v, f"{key}[{i}]") for i, v in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, key=key)  # type: ignore[arg-type]
    return _scalar(hint, value, key)


def _scalar(hint: Any, value: Any, key: str) -> Any:
    if hint is float and type(value) in (int, float):
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(key, f"must be finite, got {value}")
        if abs(value) > LARGEST:
            problem = f"must lie between -{LARGEST:g} and {LARGEST:g}, got {_quote(value)}"
            raise ConfigError(key, problem)
        if value and abs(value) < SMALLEST:
            problem = f"must be 0 or at least {SMALLEST:g} in absolute value, got {value}"
            raise ConfigError(key, problem)
        return float(value)
    if hint is int and type(value) is float and value.is_integer():
        value = int(value)
    if hint is int and type(value) is int and abs(value) > MOST:
        raise ConfigError(key, f"must lie between -{MOST:,} and {MOST:,}, got {_quote(value)}")
    if type(value) is hint:
        return value
    kinds = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    raise ConfigError(key, f"expected {kinds[hint]}, got {_quote(value)}")


def varied(config: C, axes: Mapping[str, str], values: Mapping[str, Any]) -> C:
    """``config`` with new ``values``, each by its short name in ``axes`` or its dotted path.

    Raises:
        ConfigError: an unknown axis, or a value invalid in ``config``.
    """
    # Only blocks with an axis are rebuilt; thousands of trials share the others.
    paths = {axes.get(name, name): value for name, value in values.items()}
    blocks = {path.partition(".")[0] for path in paths}
    mapping = _mapping(config, only=blocks)
    for path, value in paths.items():
        mapping = replaced(mapping, path, value)
    return from_mapping(type(config), mapping, base=config)


def at_least(config: object, **bounds: float) -> None:
    """Reject a field of ``config`` below its bound; None passes.

    Raises:
        ValueError: a field is below its bound; the message begins with its name, as
            :func:`from_mapping` requires.
    """
    for name, bound in bounds.items():
        value = getattr(config, name)
        if value is not None and not value >= bound:
            raise ValueError(f"{name} must be at least {bound:g}, got {value}")


def positive(config: object, *names: str) -> None:
    """Reject a field of ``config`` that is not above 0; see :func:`at_least`."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
