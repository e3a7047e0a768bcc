"""Texts and files beyond what a space may be: refused at once, by name and place."""

import os
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SpaceError, load
from search_spaces import yaml_source as bounds
from search_spaces.characters import meant

SMALL = "experiment: tickets\nspace:\n  lr: {grid: [1.0e-3]}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# " + "x" * bounds.MOST_BYTES, "is larger than 262,144 bytes"),
        ("#\n" * bounds.MOST_BYTES, "is larger than 262,144 bytes"),
        (SMALL + "study: {a: [" + "1, " * 40_000 + "1]}", "more than 10000 values"),
        (SMALL + "study: {a: '" + "x" * 20_000 + "'}", "a value of 20,000 characters"),
        (SMALL + "study: {a: " + "9" * 20_000 + "}", "a value of 20,000 characters"),
        (SMALL + "study: {a: " + "9" * 5_000 + "}", "is too large"),
        (SMALL + "study: {a: 0x" + "f" * 5_000 + "}", "is too large"),
        (SMALL + "study: {a: 1.0e+99999}", "is too large"),
        (SMALL + "study: {a: " + "[" * 60 + "]" * 60 + "}", "nested deeper than 40 levels"),
        (SMALL + "study: {a: {" + "a: {" * 60 + "}" * 60 + "}}", "nested deeper than 40 levels"),
        (
            SMALL + "".join(f"  a{i}: {{grid: [1]}}\n" for i in range(200)),
            "201 axes are more than",
        ),
    ],
)
def test_a_text_beyond_a_bound_is_refused(write, text, message):
    with pytest.raises(SpaceError, match=message) as caught:
        load(write(text))
    assert len(str(caught.value)) < 300


def test_the_value_of_an_override_has_the_same_bounds(write):
    path = write(SMALL)
    with pytest.raises(SpaceError, match="more than 10000 values"):
        load(path, overrides=["study.a=[" + "1, " * 40_000 + "1]"])
    with pytest.raises(SpaceError, match="characters are more than"):
        load(path, overrides=["study.a=" + "x" * 300_000])


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_a_device_and_a_directory_are_refused_without_waiting(tmp_path, linked):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for target in (fifo, "/dev/zero", "/dev/null", tmp_path):
        path = tmp_path / f"link{linked}{os.path.basename(target)}" if linked else target
        if linked:
            path.symlink_to(target)
        with pytest.raises(SpaceError, match=r"is not a regular file|is a directory"):
            load(path)


def test_a_link_to_a_space_is_read(write, tmp_path):
    (tmp_path / "link.yaml").symlink_to(write(SMALL))
    assert load(tmp_path / "link.yaml").name == "link"


PASTED = {
    "\u00a0": "NO-BREAK SPACE (U+00A0)",
    "\u200b": "ZERO WIDTH SPACE (U+200B)",
    "\u2212": "MINUS SIGN (U+2212)",
    "\u2013": "EN DASH (U+2013)",
    "\u201c": "LEFT DOUBLE QUOTATION MARK (U+201C)",
    "\uff11": "FULLWIDTH DIGIT ONE (U+FF11)",
    "\uff1a": "FULLWIDTH COLON (U+FF1A)",
    "\u3000": "IDEOGRAPHIC SPACE (U+3000)",
    "\u202e": "RIGHT-TO-LEFT OVERRIDE (U+202E)",
    "\ufeff": "BYTE ORDER MARK (U+FEFF)",
    "\u0663": "ARABIC-INDIC DIGIT THREE (U+0663)",
}


@pytest.mark.parametrize(("character", "name"), PASTED.items())
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("experiment: tickets\nspace:\n  lr: {grid: [@1.0e-3]}\n", 3),
        ("experiment: tickets\nspace:\n  @lr: {grid: [1.0e-3]}\n", 3),
        ("experiment: tickets\nspace:\n@ lr: {grid: [1.0e-3]}\n", 3),
        ("experiment: tickets@\nspace:\n  lr: {grid: [1.0e-3]}\n", 1),
        ("experiment: tickets\nspace:\n  lr:@{grid: [1.0e-3]}\n", 3),
    ],
)
def test_a_pasted_character_is_named_with_its_line_and_column(write, text, line, character, name):
    with pytest.raises(SpaceError) as caught:
        load(write(text.replace("@", character)))
    column = text.split("\n")[line - 1].index("@") + 1
    message = str(caught.value)
    assert message.startswith(f"tickets.yaml:{line}")
    assert f"{name} at column {column}" in message
    assert message.endswith("delete it") or "; write " in message


def test_a_tab_of_indentation_is_named(write):
    with pytest.raises(SpaceError, match=r"^tickets\.yaml:3: .*indent with spaces, not tabs"):
        load(write("experiment: tickets\nspace:\n\tlr: {grid: [1.0e-3]}\n"))


@pytest.mark.parametrize("character", ["\u00a0", "\u2212", "\u00e9", "\u4e2d"])
def test_text_in_quotes_or_a_comment_may_hold_what_it_likes(write, character):
    path = write(SMALL + f"study: {{a: '{character}'}} # {character}\n")
    assert load(path).study["a"] == character
    assert load(write(SMALL + "study: {a: caf\u00e9}\n")).study["a"] == "caf\u00e9"


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(character=st.characters())
def test_what_is_meant_by_a_character_is_ascii_or_itself(character):
    assert meant(character).isascii() or meant(character) == character
    if unicodedata.category(character) in ("Cf", "Zs", "Pd"):
        assert meant(character).isascii()


@pytest.mark.parametrize(
    "text",
    [
        '"\\e[31mlr": 1\nexperiment: tickets\n',
        'experiment: "\\e]0;x\\a"\nspace: {lr: {grid: [1]}}\n',
        SMALL + 'study: {"\\x9b2J.a": 1}\n',
        SMALL + 'search: {"\\b\\b": 1}\n',
        SMALL + 'scheduler: {"\\e[2J": {}}\n',
        SMALL + '  "\\u202Ea": {grid: [1]}\n',
        SMALL + 'resources: {cpu: "\\e[31m"}\n',
        SMALL + '  "x": {"\\e[0m": [1]}\n',
        "\x1b[31m",
    ],
)
def test_no_escape_sequence_of_a_space_reaches_the_terminal(write, text):
    with pytest.raises(SpaceError) as caught:
        load(write(text))
    assert str(caught.value).isprintable()


@settings(deadline=None, max_examples=200, derandomize=True, database=None)
@given(message=st.text())
def test_every_message_is_printable(message):
    assert str(SpaceError(message)).isprintable()


@pytest.mark.parametrize("given", ["demo", "demo.yaml", "search_spaces/demo", "a/b/demo.yaml"])
def test_a_shipped_space_is_found_by_any_spelling_of_its_name(tmp_path, monkeypatch, given):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "demo.yaml").write_text(SMALL)
    monkeypatch.setattr("search_spaces.space_files.FOLDER", shelf)
    monkeypatch.chdir(tmp_path)
    assert load(given).name == "demo"
    (tmp_path / "demo").write_text(SMALL.replace("lr", "mine"))
    assert list(load("demo").space) == ["mine"]
    with pytest.raises(SpaceError, match=r"did you mean 'demo\.yaml'"):
        load("dmo")
