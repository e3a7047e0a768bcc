"""Cures of messages on spaces, applied as a reader would who does what is printed and no more."""

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from search_spaces import SpaceError
from search_spaces.yaml_source import parse
from search_spaces.yaml_text import as_yaml, printable

STEPS = 12
"""Messages that may follow one another before a space loads."""


class NoCureError(Exception):
    """A message that says nothing to write."""


def check_facts(error: SpaceError, place: str, key: str, facts: Sequence[str]) -> None:
    """Assert that ``error`` is one line on ``key`` at ``place`` that says all ``facts``."""
    message = str(error)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{place} {key}".strip())
    assert (error.key or key) == key
    assert [fact for fact in facts if fact not in message] == []


def cured_overrides(overrides: list[str], message: str) -> list[str]:
    """``overrides`` after the cure of ``message``, which is about one of them."""
    match = re.match(r"--set ([^ :=]+)(?:=.*?)?(?: \S+)?: ", message)
    blamed = match[1] if match else ""
    names = [printable(text.partition("=")[0].strip()) for text in overrides]
    below = [name == blamed or name.startswith(f"{blamed}.") for name in names]
    rest = [text for text, wrong in zip(overrides, below, strict=True) if not wrong]
    if cure := re.search(r"; write (--set .*)$", message):
        option, override = shlex.split(cure[1])
        assert option == "--set", message
        key = override.partition("=")[0]
        same = [text for text in overrides if text.partition("=")[0].strip().startswith(key)]
        if len(rest) < len(overrides) and f"--set {blamed}: " in message:
            overrides = rest
        return [text for text in overrides if text not in same] + [override]
    if message.endswith("; remove it"):
        if len(rest) < len(overrides):
            return rest
        return _without(overrides, blamed)
    raise NoCureError(message)


def cured_text(text: str, message: str) -> str:
    """The file ``text`` after the cure of ``message``."""
    place = re.match(r"[^ :]+:(\d+)(?: (.*?))?: ", message)
    assert place, message
    key = place[2] or ""
    tree: Any
    if token := re.search(r"; write ([^,]+?)(?: in quotes.*|, or .*| or .*)?$", message):
        written = re.search(
            r": (?:numbers must be finite, got )?(\S+|'.*?') (?:is|looks|has)", message
        )
        old = re.search(r"got (\S+); write", message) or written
        if old and not re.search(r"; write [^ ]+: ", message):
            lines = text.split("\n")
            spelling = old[1].strip("'")
            at = int(place[1]) - 1
            assert spelling in lines[at], message
            lines[at] = lines[at].replace(spelling, token[1], 1)
            return "\n".join(lines)
    tree = parse(text, file="s.yaml").tree
    parents, leaf = _split(tree, key)
    if message.endswith("; remove it"):
        _at(tree, parents).pop(leaf, None)
        return as_yaml(tree, plain=True)
    cure = re.search(r"; write (.*?)(?: below (\S+):)?$", message)
    if not cure:
        raise NoCureError(message)
    ((name, value),) = parse(cure[1], file="cure").tree.items()  # type: ignore[attr-defined]
    _at(tree, parents).pop(leaf, None)
    if cure[2]:
        parents = cure[2].split(".")
    elif key.count(".") and name in _BLOCKS and leaf != name:
        parents = []
    if parents[:1] == ["space"] and len(parents) == 1 and name.endswith(".when"):
        tree["space"][name.removesuffix(".when")]["when"] = value
    else:
        _at(tree, parents)[name] = value
    return as_yaml(tree, plain=True)


def follow(
    attempt: Callable[[Any], object], start: Any, cure: Callable[[Any, str], Any]
) -> list[str]:
    """The messages from ``start`` on, each cured as it says; ends where ``attempt`` succeeds.

    Raises:
        AssertionError: the cures go round in a circle, or take more than ``STEPS``.
        NoCureError: a message says nothing to write.
    """
    messages: list[str] = []
    seen = [start]
    for _ in range(STEPS):
        try:
            attempt(start)
        except SpaceError as error:
            messages.append(str(error))
            assert len(messages[-1].splitlines()) == 1
            start = cure(start, messages[-1])
            assert start not in seen, ("a circle", *messages)
            seen.append(start)
        else:
            return messages
    raise AssertionError(("no end", *messages))


_BLOCKS = ("experiment", "space", "study", "search", "scheduler", "resources")


def _split(tree: Any, key: str) -> tuple[list[str], str]:
    parts = key.split(".")
    if parts[0] == "study":
        for cut in range(1, len(parts)):
            inner = _at(tree, parts[:cut]) if cut == 1 else inner.get(parts[cut - 1])
            if isinstance(inner, dict) and ".".join(parts[cut:]) in inner:
                return parts[:cut], ".".join(parts[cut:])
    if parts[0] != "space" or len(parts) == 1:
        return parts[:-1], parts[-1]
    axes = tree.get("space") or {}
    axis = key[len("space.") :]
    if axis.endswith(".when") and axis.removesuffix(".when") in axes:
        return ["space", axis.removesuffix(".when")], "when"
    return ["space"], axis


def _at(tree: Any, parents: list[str]) -> Any:
    for name in parents:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    return tree


def _without(overrides: list[str], key: str) -> list[str]:
    """``overrides`` without ``key``, which one of them sets as a part of its mapping."""
    changed = []
    for text in overrides:
        name, _, written = text.partition("=")
        if key.startswith(f"{name.strip()}."):
            tree = parse(written, file="s.yaml").tree
            parents = key[len(name.strip()) + 1 :].split(".")
            _at(tree, parents[:-1]).pop(parents[-1], None)
            text = f"{name}={as_yaml(tree, plain=True)}"
        changed.append(text)
    return changed
