"""Small SVG drawings: elements, scales and axes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from analysis.escapes import shortened


def element(name: str, content: Markup | str = "", **attributes: str | float | None) -> Markup:
    """Element ``name`` with escaped attributes and content; ``data_row`` is ``data-row``."""
    words = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return Markup(f"<{name}{''.join(words)}>{escape(content)}</{name}>")  # noqa: S704 - escaped


def joined(parts: Iterable[Markup]) -> Markup:
    """All ``parts``, one after another."""
    return Markup("").join(parts)


def drawing(content: Iterable[Markup], *, size: tuple[float, float], title: str) -> Markup:
    """Drawing of ``size`` user units with an accessible ``title``."""
    width, height = size
    return element(
        "svg",
        element("title", title) + joined(content),
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        width=width,
        role="img",
        class_="drawing",
    )


def text(
    content: str,
    x: float,
    y: float,
    *,
    anchor: str = "middle",
    most: int | None = None,
    **more: str,
) -> Markup:
    """Text at a point; of more than ``most`` characters the first, and all as a tooltip."""
    label: Markup | str = content
    if most is not None and len(content) > most:
        label = element("title", content) + shortened(content, most=most)
    return element("text", label, x=x, y=y, text_anchor=anchor, **more)


LINE_HEIGHT = 14.0
"""Distance of two lines of a label."""
_LABEL = 36  # characters below the narrowest drawing
_MARGIN = 6.0  # between the axes and the first values


@dataclass(frozen=True, slots=True)
class Scale:
    """Positions between ``start`` and ``stop`` of the numbers from ``low`` to ``high``.

    Logarithmic if both ends are positive and more than two decades apart.
    """

    low: float
    high: float
    start: float
    stop: float

    @property
    def logarithmic(self) -> bool:
        """True if equal ratios have equal distances."""
        return self.low > 0.0 and self.high / self.low > 100.0

    def __call__(self, value: float) -> float:
        """Position of ``value``; the middle if all numbers are equal."""
        if self.high == self.low:
            return (self.start + self.stop) / 2.0
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers within the ends, about ``most``."""
        if self.high == self.low:
            return [self.low]
        if self.logarithmic:
            lowest, highest = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            decades = max(1, (highest - lowest) // most)
            return [10.0**n for n in range(lowest, highest + 1, decades)]
        raw = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw)
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor((self.high - first * step) / step + 1e-9)
        return [round((first + n) * step, 12) for n in range(count + 1)]


def line(points: Sequence[tuple[float, float]], **more: str) -> Markup:
    """Polyline through ``points``."""
    return element(
        "polyline", points=" ".join(f"{_text(x)},{_text(y)}" for x, y in points), **more
    )


def axes(
    across: Scale,
    upwards: Scale,
    *,
    x_label: str,
    y_label: str,
    names: Sequence[tuple[float, str]] = (),
) -> Markup:
    """Axes with ticks and labels; ``names`` by place replace the numbers of the one across.

    Lines of ``y_label`` are stacked above the axis.
    """
    x_axis, bottom = across.start - _MARGIN, upwards.start + _MARGIN
    parts = [
        line([(x_axis, upwards.stop), (x_axis, bottom), (across.stop, bottom)], class_="axis"),
        text(x_label, (across.start + across.stop) / 2, bottom + 30, class_="label", most=_LABEL),
    ]
    for i, words in enumerate(reversed(y_label.splitlines())):
        height = upwards.stop - 8 - LINE_HEIGHT * i
        parts.append(text(words, x_axis, height, anchor="start", class_="label"))
    places = names or [(v, number(v)) for v in across.ticks()]
    most = max(_LABEL // max(len(names), 1), 4)
    parts += [text(name, across(place), bottom + 14, most=most) for place, name in places]
    for value in upwards.ticks():
        y = upwards(value)
        parts.append(line([(x_axis, y), (across.stop, y)], class_="grid"))
        parts.append(text(number(value), x_axis - 5, y + 3, anchor="end"))
    return joined(parts)


def number(value: float) -> str:
    """``value`` in four digits, or a whole number with separators; a typographic minus sign."""
    whole = 1e3 <= abs(value) < 1e7 and value.is_integer()
    return f"{value:{',.0f' if whole else '.4g'}}".replace("-", "−")


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
