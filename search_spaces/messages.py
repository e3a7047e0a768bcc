"""How a mistake is said: one line with place, condition, value and cure."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

# What a reader takes for a number in decimals, whether or not YAML 1.1 does.
NUMBER = re.compile(r"([-+]?)([0-9][0-9_]*)?(?:(\.)([0-9_]*))?(?:[eE]([-+]?)([0-9][0-9_]*))?")
_LONGEST = 60


class SpaceError(ValueError):
    """A mistake in a space file or an override, said in one line.

    For instance "tickets.yaml:14 space.lr: '1e-4' is text in YAML 1.1; write 1.0e-4".
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where each key was written: "tickets.yaml:14", or "--set" for an override.

    Args:
        origin: the place of a key that has neither a place of its own nor a placed parent.
        marks: places by dotted key.
    """

    origin: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """The place of ``key`` and the key itself, such as "tickets.yaml:14 space.lr"."""
        return f"{self._place(key)} {key}".strip()

    def error(self, key: str, message: str) -> SpaceError:
        """The error that says ``message`` about ``key``."""
        return SpaceError(f"{self.where(key)}: {message}")

    def _place(self, key: str) -> str:
        parent = key
        while parent:
            if parent in self.marks:
                return self.marks[parent]
            parent = parent.rpartition(".")[0]
        return self.origin


def show(value: object) -> str:
    """``value`` as one would write it in a space file, shortened to fit in a message."""
    text = _written(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown ``name``: "did you mean 'pgd'? known: fgsm, pgd"."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(names)}"


def too_large(value: int | float) -> bool:
    """Whether ``value`` is not finite, or whole and too large for a 64-bit column of the rows."""
    return not abs(value) < 2**63 if isinstance(value, int) else not math.isfinite(value)


def number_as_yaml(text: str) -> str:
    """The number ``text``, which matches ``NUMBER``, in the form that YAML 1.1 reads as that."""
    match = NUMBER.fullmatch(text)
    assert match is not None
    parts = [(part or "").replace("_", "") for part in match.groups()]
    sign, whole, point, fraction, exponent_sign, exponent = parts
    mantissa = sign.replace("+", "") + (whole.lstrip("0") or "0")
    if point or exponent:
        mantissa += "." + (fraction or "0")
    return mantissa + (f"e{exponent_sign or '+'}{exponent}" if exponent else "")


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        text = repr(value)
        return number_as_yaml(text) if "e" in text else text
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(item)}" for key, item in value.items()) + "}"
    return repr(value)
