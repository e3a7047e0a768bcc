"""Canonical JSON: exactly one text per value, so that signed content has a single reading.

Keys are sorted, everything is ASCII without white space, and leaves are integers and text. A
float, which JSON can spell in many ways and readers may round, is stored as exact text.
"""

import json
from collections.abc import Mapping
from typing import Any

from hedgecore.bundle.errors import BundleError


def dumps(value: Any) -> bytes:
    """``value`` as canonical JSON.

    Raises:
        BundleError: a leaf is neither integer nor text, or a key is not text; see :func:`spelled`.
    """
    return json.dumps(_strict(value), sort_keys=True, separators=(",", ":")).encode()


def loads(content: bytes, *, name: str) -> Any:
    """Value whose canonical JSON is ``content``, read from the file ``name``.

    Raises:
        BundleError: ``content`` is not JSON, not canonical, or has a duplicate key.
    """
    try:
        value = json.loads(content.decode("ascii"), object_pairs_hook=_unique)
        canonical = dumps(value) == content
    except BundleError as error:
        raise BundleError(f"{name} {error}") from None
    except (ValueError, RecursionError):
        canonical = False
    if not canonical:
        raise BundleError(f"{name} is not canonical JSON; seal the model again with hedgesweep")
    return value


def spelled(value: Any) -> Any:
    """Plain data with integers and text only, for :func:`dumps`.

    A float becomes the shortest text that reads back equal; true, false and null their names.

    Raises:
        BundleError: ``value`` is not plain data.
    """
    if isinstance(value, Mapping):
        return {key: spelled(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return float.__repr__(value)
    return _strict(value)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise BundleError(f"has the key {key!r}, which is not text; write it as text")
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    if type(value) in (int, str):
        return value
    raise BundleError(
        f"holds {value!r} ({type(value).__name__}), neither integer nor text; write it as text"
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BundleError(f"gives {twice!r} twice; seal the model again with hedgesweep")
    return value
