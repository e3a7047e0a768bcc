"""Identity of the code that computes a trial: equal identities give equal numbers.

It is the hash of the syntax trees of every module that the study and the trainer of the experiment
import, directly or not, without docstrings, comments and layout, and of the tables and the C
sources in their folders. So a reworded docstring or text, another estimate of costs, or a change
in another experiment, leaves stored trials valid.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hedgecore
from sweeps.experiments import experiment

_CORE = hedgecore.__name__
_COMPUTING = ("prepare", "train", "restore", "assemble")
"""Parts of a trainer that determine its numbers."""
_BESIDE = ("*.csv", "*.c", "*.h", "flags.txt")
"""Files in the folder of a module that determine numbers: tables, and sources of the kernel."""

EQUAL_NUMBERS: Mapping[str, str] = {}
"""Older identities of code that computes equal numbers, used in place of its own.

The key is the hash of its trees. Enter here a change of names or structure alone that leaves the
golden runs equal, so that stored trials remain valid.
"""


@cache
def code_identity(name: str) -> str:
    """Identity (sha256, hex) of the code of the experiment ``name``."""
    digest = tree_hash(name)
    return EQUAL_NUMBERS.get(digest, digest)


@cache
def tree_hash(name: str) -> str:
    """sha256 (hex) of the syntax trees and tables of the experiment ``name``."""
    module_files = modules(name)
    trees = {module: _tree(_parsed(file)) for module, file in module_files.items()}
    folders = {file.parent for file in module_files.values()}
    files = [file for folder in folders for kind in _BESIDE for file in folder.glob(kind)]
    data = sorted([f"{file.parent.name}/{file.name}", _content(file)] for file in files)
    content = json.dumps([sorted(trees.items()), data])
    return hashlib.sha256(content.encode()).hexdigest()


def modules(name: str) -> dict[str, Path]:
    """File of every module that the experiment ``name`` imports.

    Limited to hedgecore and the package of its trainer; the manifest has the versions of the
    others.
    """
    traced = experiment(name)
    parts = [getattr(traced.trainer, part) for part in _COMPUTING]
    parts = [part.func if isinstance(part, partial) else part for part in parts if part]
    queue = [part.__module__ for part in (traced.study, type(traced.trainer), *parts)]
    packages = {_CORE, *(module.partition(".")[0] for module in queue)}
    module_files: dict[str, Path] = {}
    while queue:
        module = queue.pop()
        if module in module_files or module.partition(".")[0] not in packages:
            continue
        if file := _file(module):
            module_files[module] = file
            parent = module.rpartition(".")[0]
            queue += [*_imported(_parsed(file)), *([parent] if parent else [])]
    return module_files


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _file(module: str) -> Path | None:
    """Source of ``module``; None if it is not a module, such as a function of one."""
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # its parent is not a package
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _tree(node: Any) -> Any:
    """``node`` as lists without empty fields, which are alike in every version of Python."""
    if isinstance(node, list):
        return [_tree(one) for one in node if not _is_text(one)]
    if not isinstance(node, ast.AST):
        return node if isinstance(node, str | int | float | bool | None) else repr(node)
    fields = [(name, _tree(value)) for name, value in ast.iter_fields(node)]
    return [type(node).__name__, *([n, v] for n, v in fields if v is not None and v != [])]


def _content(file: Path) -> str:
    """Text of a table, or the code of a C source, without comments and layout."""
    text = file.read_text(encoding="utf-8")
    if file.suffix not in (".c", ".h"):
        return text
    return " ".join(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).split())


def _is_text(node: Any) -> bool:
    """True for a string statement: a docstring, or the description of a constant."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
