"""Templates, resources and content security policy of the pages."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def environment() -> Environment:
    """Templates of this package, which escape all texts and refuse unknown names."""
    return Environment(
        loader=PackageLoader("analysis.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def resource(name: str) -> Markup:
    """Text of the script or style ``name``."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def policy(scripts: Sequence[str], *, live: bool) -> str:
    """Content security policy: nothing from elsewhere, and no script but ``scripts``.

    A ``live`` page may also connect to the server that it comes from.
    """
    digests = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src {sources}; base-uri 'none'; form-action 'none'"
        + ("; connect-src 'self'" if live else "")
    )
