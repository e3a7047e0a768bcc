"""Parser of calls in Python's syntax, such as "linspace(0, 1, 5)", without evaluation."""

import ast
import math
import warnings
from collections.abc import Callable, Mapping

MOST_LISTED = 1000
"""Maximum number of values that a sequence is expanded to."""


def arguments(text: str) -> tuple[list[object], dict[str, object]] | None:
    """Positional and named arguments of a call; None if ``text`` is not a list of literals.

    A bare word counts as text, and so does a call within it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            call = ast.parse(f"f({text})", mode="eval").body
        assert isinstance(call, ast.Call)
        keywords = {word.arg or "": _literal(word.value) for word in call.keywords}
        return [_literal(node) for node in call.args], keywords
    except (SyntaxError, ValueError, TypeError, AssertionError, RecursionError, MemoryError):
        return None


def _literal(node: ast.expr) -> object:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Call):
        return ast.unparse(node)
    value = ast.literal_eval(node)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _spaced(low: float, high: float, number: float = 50) -> list[object]:
    steps = max(2, min(int(number), MOST_LISTED)) - 1
    return [float(f"{low + (high - low) * i / steps:.10g}") for i in range(steps + 1)]


def _powers(low: float, high: float, number: float = 50, base: float = 10) -> list[object]:
    exponents = (float(str(x)) for x in _spaced(low, high, number))
    return [float(f"{base**x:.6g}") for x in exponents]


def _geometric(low: float, high: float, number: float = 50) -> list[object]:
    return _powers(math.log10(low), math.log10(high), number)


def _counted(*bounds: float) -> list[object]:
    if len(bounds) == 1:
        bounds = (0, *bounds)
    start, stop, step = (*bounds, 1)[:3]
    count = min(math.ceil((stop - start) / step), MOST_LISTED)
    whole = all(isinstance(b, int) for b in (start, step))
    values = [start + i * step for i in range(count)]
    return [int(x) if whole else float(f"{x:.10g}") for x in values]


SEQUENCES: Mapping[str, Callable[..., list[object]]] = {
    "linspace": _spaced,
    "logspace": _powers,
    "geomspace": _geometric,
    "range": _counted,
    "arange": _counted,
}
