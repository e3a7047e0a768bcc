"""SVG files of figures, as parts of a page."""

import re

from markupsafe import Markup

_ID = re.compile(r'\b(id=")([^"]+)(")')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')


def inline(svg: str, prefix: str) -> Markup:
    """The element of an ``svg`` file of our own, with ``prefix`` before every id.

    A page has several, and ids must differ.
    """
    element = svg[svg.index("<svg") :]
    element = re.sub(r"(?s)<metadata>.*?</metadata>", "", element)
    element = _ID.sub(rf"\g<1>{prefix}-\g<2>\g<3>", element)
    element = _REFERENCE.sub(rf"\g<1>{prefix}-\g<2>", element)
    return Markup(element)  # noqa: S704 - drawn by Matplotlib, which escapes texts
