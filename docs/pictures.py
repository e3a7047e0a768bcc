"""Pictures of README.md: ``python docs/pictures.py STORAGE``, after ``hedgesweep report STORAGE``.

One is the output of ``hedgesweep best STORAGE``, the other the top of the report's page; Chromium
takes both.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

FIGURES = Path(__file__).resolve().parent / "figures"
COLUMNS, WIDTH = 124, 1240
"""Width of the terminal in characters, and of both pictures in pixels of a screen."""
# rich's own page and SVG fetch their font from a server.
PAGE = """\
<html>
<body style="margin: 0; background: {background}; color: {foreground}">
<pre style="margin: 12px 20px; font: 16px/1.4 'DejaVu Sans Mono', monospace">{code}</pre>
</body>
</html>
"""


def main(storage: str) -> None:
    """Write docs/figures/terminal.png and docs/figures/report.png."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "terminal.html"
        page.write_text(terminal(storage), encoding="utf-8")
        picture = screenshot(page, height=900)
        blank = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
        _, _, _, bottom = ImageChops.difference(picture, blank).getbbox()
        save(picture.crop((0, 0, picture.width, bottom + 20)), "terminal")
    report = Path(storage).resolve() / "report" / "report.html"
    save(screenshot(report, height=744), "report")


def terminal(storage: str) -> str:
    """Page that shows ``hedgesweep best`` as a terminal does."""
    command = Path(sys.executable).parent / "hedgesweep"
    done = subprocess.run([command, "best", storage], check=True, capture_output=True, text=True)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ hedgesweep best {storage}", style="bold green"))
    console.print(Text(done.stdout.rstrip()))
    return console.export_html(theme=MONOKAI, inline_styles=True, code_format=PAGE)


def screenshot(page: Path, *, height: int) -> Image.Image:
    """The top ``height`` pixels of a ``page``."""
    chromium = shutil.which("chromium")
    assert chromium, "install the package chromium"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--window-size={WIDTH},{height}", f"--screenshot={file}", page.as_uri()]
        subprocess.run([chromium, *options], check=True, capture_output=True)
        with Image.open(file) as picture:
            return picture.convert("RGB")


def save(picture: Image.Image, name: str) -> None:
    """Write ``picture`` with a palette, a third of the size."""
    picture.quantize(64).save(FIGURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("storage")
    main(parser.parse_args().storage)
