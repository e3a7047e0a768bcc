"""Spaces of Python mappings, and the text of a space."""

import numpy as np
import pytest

from search_spaces import Grid, SearchSpace, SpaceError, build, load, shipped
from search_spaces.space_files import FOLDER
from search_spaces.written import written
from search_spaces.yaml_source import parse

SMALL = {"experiment": "tickets", "space": {"lr": {"grid": [1e-3, 1e-2]}}}
BLOCKS = ("experiment", "space", "when", "study", "search", "scheduler", "resources")


def alike(one: SearchSpace, other: SearchSpace) -> bool:
    return all(getattr(one, block) == getattr(other, block) for block in BLOCKS)


@pytest.mark.parametrize("name", shipped())
def test_the_blocks_of_a_file_give_the_space_of_the_file(name, tmp_path):
    tree = parse((FOLDER / name).read_text(), file=name).tree
    space = build(tree, name="mine") if "extends" not in tree else load(name)
    assert alike(space, load(name))
    (tmp_path / "mine.yaml").write_text(space.text)
    again = load(tmp_path / "mine.yaml")
    assert alike(again, space)
    assert list(again.space) == list(load(name).space)


def test_arrays_numbers_and_tuples_of_numpy_and_python_are_plain(tmp_path):
    blocks = {
        "experiment": "tickets",
        "space": {"lr": {"grid": (np.float64(0.1), 1e-5)}, "seed": {"grid": [np.int64(3)]}},
    }
    space = build(blocks)
    assert space.space["lr"] == Grid([0.1, 1e-5])
    (tmp_path / "s.yaml").write_text(space.text)
    assert alike(load(tmp_path / "s.yaml"), space)
    assert space.name == "space"


def test_overrides_and_extends_work_as_in_a_file():
    space = build(
        {"extends": "tickets_smoke", "study": {"training": {"epochs": 3}}},
        name="mine",
        overrides={"space.seed.grid": [0, 1]},
    )
    assert space.study["training"] == {"epochs": 3, "batch_size": 256}
    assert space.space["seed"] == Grid([0, 1])
    assert space.name == "mine"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"lr": {"grid": [1, 1]}}}, "^space.lr: grid: 1 appears twice"),
        ({"study": {"market": {"spot": {1, 2}}}}, "^study.market.spot: expected .* got set"),
        ({"study": {"a": np.array([1.0])}}, r"^study\.a: .*write \.tolist\(\) after it"),
        ({"study": {1: 2}}, "^study: a key must be text, got 1"),
        ({"search": {"sed": 1}}, "^search.sed: unknown key"),
        ({"search": 3}, "^search: expected keys and values, got 3"),
        ({"study": {"a": float("nan")}}, "^study.a: numbers must be finite"),
        ({"study": {"a": "\ud800"}}, "^study.a: text holds half a surrogate pair"),
        ({"study": {"a": "x" * 20_000}}, "^study.a: a value of 20,002 characters|20,000"),
        ({"sapce": {}}, "^sapce: unknown block"),
        ({"extends": "nothing"}, "^extends: no such file"),
        ({"resources": {"cpu": 0}}, "^resources.cpu: must be positive"),
    ],
)
def test_a_mistake_is_named_by_its_key(changes, message):
    with pytest.raises(SpaceError, match=message) as caught:
        build({**SMALL, **changes})
    assert str(caught.value).isprintable()


def test_the_cure_of_a_mistake_is_the_value_for_its_key():
    with pytest.raises(SpaceError, match=r"; write \{'grid': \[1\]\} for space\.lr$"):
        build({**SMALL, "space": {"lr": {"grid": [1, 1]}}})
    assert build({**SMALL, "space": {"lr": {"grid": [1]}}}).space["lr"] == Grid([1])


def test_a_mapping_that_contains_itself_is_refused():
    blocks: dict = {**SMALL, "study": {}}
    blocks["study"]["study"] = blocks["study"]
    with pytest.raises(SpaceError, match="nested deeper than"):
        build(blocks)


@pytest.mark.parametrize("blocks", [3, None, "tickets", [SMALL]])
def test_what_is_no_mapping_is_one_line(blocks):
    with pytest.raises(TypeError, match="blocks must be a mapping"):
        build(blocks)
    with pytest.raises(TypeError, match="name must be a text"):
        build(SMALL, name=blocks if not isinstance(blocks, str) else "")


@pytest.mark.parametrize(
    "value",
    [
        "no", "null", "1e-3", "0x10", ".inf", "~", "2026-11-20", "a: b", "# c", "'", '"', "\\", "",
        "\u202e", "\x1b[31m", "- a", "*b", "&c", "!d", "%e", "@f", "`g", "{h", "[i", "é", " a ",
        "a\nb", "1_000", "true", "<<", "=",
        1e-5, 1e16, -0.0, 5e-324, 2**62, True, None, [], {}, [[]], [{"a b": 1}],
    ],
)  # fmt: skip
def test_any_value_is_written_so_that_it_is_read_again(value):
    tree = {"study": {"a": value, "b" * 90: {"c": value, str(value) or "k": [value]}}}
    again = parse(written(tree, comment="\x1b a\nb"), file="s").tree
    assert again == tree
    assert repr(again) == repr(tree)
