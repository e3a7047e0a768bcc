"""Pages that follow from the code: commands, columns, Python names and the notebook.

``docs/conf.py`` writes them at every build, so they are never out of date.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from analysis import schema
from analysis.columns import FAMILIES
from sweeps.__main__ import cli

GENERATED = "generated"
"""Folder of the pages, which Git ignores."""
ROOT_PAGES = ("CHANGELOG", "CONTRIBUTING", "SECURITY")
"""Pages of the repository's root that are copied into the site."""


def write(docs: Path) -> None:
    """Write every page to ``docs``/generated, if its text has changed."""
    folder = docs / GENERATED
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        _replace(folder / f"{name}.md", page().encode())
    for name in ROOT_PAGES:
        text = (docs.parent / f"{name}.md").read_text(encoding="utf-8")
        _replace(folder / f"{name.lower()}.md", _moved(text).encode())
    notebook = json.loads((docs / "tour.ipynb").read_text(encoding="utf-8"))
    _replace(folder / "tour.md", tour(notebook).encode())
    for name, picture in pictures(notebook).items():
        _replace(folder / name, picture)


def _replace(path: Path, content: bytes) -> None:
    """Write ``content``; an unchanged file keeps its time, and is not built again."""
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def with_root_pages(text: str) -> str:
    """``text`` of a page of docs/, whose links to pages of the root lead to their copies."""
    for name in ROOT_PAGES:
        text = re.sub(rf"\]\((?:\.\./)+{name}\.md", f"](/{GENERATED}/{name.lower()}.md", text)
    return text


def _moved(text: str) -> str:
    """``text`` of a page of the root as one of docs/generated, links included."""
    text = re.sub(r"\]\((?!#|\w+:|docs/|CHANGELOG|CONTRIBUTING|SECURITY)", "](../../", text)
    for name in ROOT_PAGES:
        text = text.replace(f"]({name}.md", f"]({name.lower()}.md")
    return text.replace("](docs/", "](../")


def commands() -> str:
    """Every command with its arguments and options."""
    lines = ["# Command line", "", *_paragraphs(cli), ""]
    for path, command in each_command(cli, "hedgesweep"):
        context = click.Context(command, info_name=path)
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## {path}", "", "```sh", f"{path} {usage}", "```", "", *_paragraphs(command)]
        records = [p.get_help_record(context) for p in command.params]
        rows = [(f"`{names}`", _cell(text)) for names, text in filter(None, records) if text]
        lines += ["", *(_table(("option", "meaning"), rows) if rows else ()), ""]
    return "\n".join(lines)


def each_command(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below ``group`` with the words that call them."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from each_command(command, f"{path} {name}")
        elif not command.hidden:
            yield f"{path} {name}", command


def _paragraphs(command: click.Command) -> list[str]:
    r"""Help of a command; a paragraph after ``\b`` keeps its lines."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", _dedented(command.help or "")):
        text = paragraph.strip("\n")
        if text.startswith("\b"):
            lines += ["```sh", *text.splitlines()[1:], "```", ""]
        else:
            lines += [_escaped(" ".join(text.split())), ""]
    return lines


def _dedented(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first}\n{re.sub(r'(?m)^    ', '', rest) if rest.startswith('    ') else rest}"


def columns() -> str:
    """Every column of ``trials.parquet`` and ``epochs.parquet``, from the dictionary."""
    lines = [
        *("# Columns", ""),
        "`analysis.schema.describe()` gives this page as a DataFrame. Parameters of a trial are "
        "`config/` and the dotted key of the study.",
        "",
    ]
    for experiment, tables in schema.EXPERIMENTS.items():
        for table, entries in tables.items():
            lines += [f"## {experiment}: {table}.parquet", "", *_columns(entries), ""]
        for family in FAMILIES[experiment]:
            lines += [f"## {experiment}: columns NAME@PLACE", ""]
            places = [(f"`{p}`", _cell(words)) for p, words in family.places.items()]
            lines += [*_table(("place, a regular expression", "adds to the meaning"), places), ""]
            lines += [*_columns(family.bases), ""]
    return "\n".join(lines)


def _columns(entries: Mapping[str, schema.Column]) -> list[str]:
    rows = [
        (f"`{c.name}`", c.dtype, _cell(c.unit), c.direction or "", _cell(c.meaning))
        for c in entries.values()
    ]
    return _table(("column", "type", "unit", "better", "meaning"), rows)


def tour(notebook: Mapping[str, Any]) -> str:
    """The notebook as a page, with its stored outputs."""
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(re.sub(r"\]\((?!#|\w+:)", "](../", source))
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", [])})
            if "image/png" in data:
                parts.append(f"![{cell['id']}]({cell['id']}.png)")
            else:
                parts.append(f"```text\n{''.join(data['text/plain']).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def pictures(notebook: Mapping[str, Any]) -> dict[str, bytes]:
    """PNG files of the notebook's outputs by name."""
    return {
        f"{cell['id']}.png": base64.b64decode("".join(output["data"]["image/png"]))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    }


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    rule = ("---",) * len(heading)
    return [f"| {' | '.join(cells)} |" for cells in (heading, rule, *rows)]


def _cell(text: str) -> str:
    return _escaped(text).replace("|", r"\|")


def _escaped(text: str) -> str:
    """Plain ``text`` as Markdown that shows the same characters."""
    return re.sub(r"([\\`*_<>\[\]$])", r"\\\1", text)


PAGES: Mapping[str, Callable[[], str]] = {"commands": commands, "columns": columns}
