"""Site of the documentation, built by ``make docs`` without network access."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import reference_pages

project, author, copyright = "hedgesweep", "hedgesweep developers", "hedgesweep developers"  # noqa: A001
release = version_of("hedgesweep")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "study"]
source_suffix = {".md": "markdown"}
nitpicky = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# Most blocks are commands of a shell or output of one.
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_custom_sections = ["Source"]

html_theme = "furo"
html_title = f"hedgesweep {release}"
html_show_sourcelink = False
html_copy_source = False


def setup(app: Any) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    reference_pages.write(Path(app.srcdir))
    app.connect("source-read", _link_root_pages)


def _link_root_pages(app: Any, name: str, source: list[str]) -> None:
    source[0] = reference_pages.with_root_pages(source[0])
