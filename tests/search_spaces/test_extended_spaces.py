"""Spaces that extend others: what is inherited, and where a mistake is reported."""

import os
import re

import pytest

from search_spaces import Grid, SearchSpace, SpaceError, load
from search_spaces.lineage import MOST_FILES
from search_spaces.yaml_source import parse

BASE = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.9]}
  lr: {grid: [1.0e-3, 1.0e-2], when: {sparsity: [0.9]}}
  seed: {grid: [0]}
study:
  market: {steps: 30, substeps: 2}
  training: {epochs: 20}
search: {algorithm: grid}
scheduler:
  asha: {grace_period: 5, max_t: 15, stratify_by: [sparsity]}
resources: {cpu: 2}
"""


@pytest.fixture
def extended(tmp_path):
    """Loads a text that extends BASE, in mine.yaml beside base.yaml."""
    (tmp_path / "base.yaml").write_text(BASE)

    def _extended(text: str, *, first: str = "extends: base.yaml\n", **options) -> SearchSpace:
        (tmp_path / "mine.yaml").write_text(first + text)
        return load(tmp_path / "mine.yaml", **options)

    return _extended


def test_without_other_keys_everything_is_inherited(extended, tmp_path):
    space, base = extended(""), load(tmp_path / "base.yaml")
    for block in ("experiment", "space", "when", "study", "search", "scheduler", "resources"):
        assert getattr(space, block) == getattr(base, block)
    assert space.name == "mine"


def test_settings_are_merged_key_by_key(extended):
    space = extended("study:\n  training: {batch_size: 64}\nresources: {gpu: 1}\n")
    assert space.study["training"] == {"epochs": 20, "batch_size": 64}
    assert space.study["market"] == {"steps": 30, "substeps": 2}
    assert (space.resources.cpu, space.resources.gpu) == (2, 1)


def test_an_axis_is_replaced_with_its_condition_in_its_position(extended):
    space = extended("space: {lr: {grid: [0.5]}, epsilon: {grid: [0.0]}}\n")
    assert list(space.space) == ["sparsity", "lr", "seed", "epsilon"]
    assert space.space["lr"] == Grid([0.5])
    assert not space.when


def test_null_removes_an_axis_a_group_and_a_setting_but_is_a_value_of_the_study(extended):
    space = extended(
        "space: {lr: null}\n"
        "study: {training: null, market: {substeps: null}}\n"
        "scheduler: {asha: {max_t: null, grace_period: null}}\n"
        "resources: {cpu: null}\n"
    )
    assert list(space.space) == ["sparsity", "seed"]
    assert space.study == {"market": {"steps": 30, "substeps": None}}
    assert (space.scheduler.max_t, space.scheduler.grace_period) == (None, 1)
    assert space.scheduler.stratify_by == ("sparsity",)
    assert space.resources.cpu == 1
    assert extended("scheduler: null\n").scheduler is None


def test_another_scheduler_replaces_the_inherited_one(extended):
    assert extended("scheduler: {median: {grace_period: 2}}\n").scheduler.kind == "median"
    assert extended("scheduler: {median: {}}\n").scheduler.grace_period == 1
    with pytest.raises(SpaceError, match="a space has one scheduler"):
        extended("scheduler: {median: {}, asha: {}}\n")


def test_an_empty_mapping_changes_nothing(extended):
    assert extended("study: {market: {}}\nscheduler: {asha: {}}\n").text == extended("").text


def test_overrides_come_last(extended):
    space = extended("study: {training: {epochs: 7}}\n", overrides=["study.training.epochs=3"])
    assert space.study["training"]["epochs"] == 3


def test_a_lineage_has_the_keys_of_all_its_files(extended, tmp_path):
    (tmp_path / "deep").mkdir()
    extended("study: {training: {epochs: 7}}\n")
    (tmp_path / "deep" / "last.yaml").write_text("extends: ../mine.yaml\nspace: {lr: null}\n")
    space = load(tmp_path / "deep" / "last.yaml")
    assert space.study["training"]["epochs"] == 7
    assert list(space.space) == ["sparsity", "seed"]


def test_the_text_says_the_same_without_another_file(extended, tmp_path):
    space = extended("study: {training: {epochs: 7}}\nspace: {lr: {uniform: [0.1, 1]}}\n"
                     "search: {algorithm: random, num_samples: 3}\n")  # fmt: skip
    alone = tmp_path / "elsewhere" / "mine.yaml"
    alone.parent.mkdir()
    alone.write_text(space.text)
    again = load(alone)
    assert again == load(alone)
    for block in ("experiment", "space", "when", "study", "search", "scheduler", "resources"):
        assert getattr(again, block) == getattr(space, block)
    assert "extends" not in parse(space.text, file="s").tree


def test_a_shipped_space_is_extended_by_name_even_from_a_file_of_that_name(extended, tmp_path):
    smoke = load("tickets_smoke")
    for name in ("tickets_smoke", "tickets_smoke.yaml", "search_spaces/tickets_smoke.yaml"):
        assert extended("", first=f"extends: {name}\n").study == smoke.study
    (tmp_path / "tickets_smoke.yaml").write_text("extends: tickets_smoke.yaml\n")
    assert load(tmp_path / "tickets_smoke.yaml").study == smoke.study
    assert extended("", first="extends: tickets_smoke.yaml\n").study == smoke.study


@pytest.mark.parametrize(
    ("text", "place", "cure"),
    [
        ("# \nsearch: {seed: -1}\n", "mine.yaml:3 search.seed", "seed: 0"),
        # The inherited line is wrong only with the line of mine.yaml.
        (
            "search:\n  algorithm: tpe\n  num_samples: 4\n  seed: 3\n"
            "scheduler: {asha: {block: 99}}\n",
            "mine.yaml:6 scheduler.asha.block",
            "block: 1",
        ),
        ("space:\n  sparsity: null\n", "mine.yaml:3 space.lr.when", "when: null"),
        (
            "space: {lr: null}\nstudy: {}\nspace2: 1\n",
            "mine.yaml:4 space2",
            "remove it",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_at_the_line_that_makes_it(extended, text, place, cure):
    with pytest.raises(SpaceError) as caught:
        extended(text)
    assert str(caught.value).startswith(f"{place}: ")
    assert cure in str(caught.value)


def test_what_a_file_makes_of_an_inherited_line_names_both_lines_and_a_cure_that_works(extended):
    (text, key) = "space:\n  lr: null\n  sparsity: null\n", "stratify_by"
    with pytest.raises(SpaceError) as caught:
        extended(text)
    message = str(caught.value)
    assert message.startswith("mine.yaml:4 scheduler.asha.stratify_by: ")
    assert "(inherited from base.yaml:11)" in message
    cure = message.rpartition("; write ")[2]
    assert cure.startswith(key)
    space = extended(f"{text}scheduler: {{asha: {{{cure}}}}}\n")
    assert list(space.space) == ["seed"]


def test_null_cures_an_inherited_setting_that_no_longer_fits(extended, tmp_path):
    first = "extends: base.yaml\nscheduler: null\nsearch: {algorithm: random, num_samples: 4}\n"
    (tmp_path / "middle.yaml").write_text(first)
    middle, grid = "extends: middle.yaml\n", "search: {algorithm: grid"
    with pytest.raises(SpaceError, match=r"^mine\.yaml:2 search\.num_samples: ") as caught:
        extended(grid + "}\n", first=middle)
    cure = str(caught.value).rpartition("; write ")[2]
    assert extended(f"{grid}, {cure}}}\n", first=middle).search.num_samples is None


def test_a_mistake_of_the_extended_file_is_at_its_own_line(extended, tmp_path):
    (tmp_path / "base.yaml").write_text(BASE.replace("epochs: 20", "epochs: 20, epochs: 21"))
    with pytest.raises(SpaceError, match=r"^base\.yaml:8 study\.training\.epochs: .*twice"):
        extended("")
    (tmp_path / "base.yaml").write_text(BASE.replace("cpu: 2", "cpu: 0"))
    with pytest.raises(SpaceError, match=r"^base\.yaml:12 resources\.cpu: "):
        extended("")


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("extends: nothing.yaml\n", r"mine\.yaml:1 extends: no such file .*nothing\.yaml"),
        ("extends: ../tickets.yaml\n", "no such file .*check its folder"),
        ("extends: [base.yaml]\n", r"got \['base.yaml'\]; write extends: base.yaml"),
        ("extends: 3\n", "expected the path of one space.* got 3; remove it"),
        ("extends: null\n", "got null"),
        ("extends: ''\n", "got ''"),
        ("extends: .\n", "is a directory"),
        ("extends: fifo\n", "is not a regular file"),
        ("extends: large.yaml\n", "is larger than"),
        ("extends: latin.yaml\n", "not UTF-8"),
        ("extends: list.yaml\n", r"list\.yaml:1: expected a mapping, got .*x1b\[31m"),
        ("extends: empty.yaml\n", r"empty\.yaml:1: the file is empty"),
        ("extends: \"\\e[31m.yaml\"\n", r"no such file .*\\x1b\[31m"),
        ("extends: other.yaml\n", r"other\.yaml:1 extends: .* circle \(mine.* -> other"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_extended_is_one_line(extended, tmp_path, first, message):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large.yaml").write_bytes(b"#" * 300_000)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    (tmp_path / "list.yaml").write_text('["\\e[31m"]')
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "other.yaml").write_text("extends: mine.yaml\n")
    with pytest.raises(SpaceError) as caught:
        extended("", first=first)
    assert re.search(message, str(caught.value))
    assert str(caught.value).isprintable()


def test_a_long_lineage_is_refused_and_a_merged_space_has_the_bounds_of_a_file(tmp_path):
    (tmp_path / "0.yaml").write_text(BASE)
    for i in range(1, MOST_FILES + 1):
        (tmp_path / f"{i}.yaml").write_text(f"extends: {i - 1}.yaml\n")
    assert load(tmp_path / f"{MOST_FILES - 1}.yaml").name == f"{MOST_FILES - 1}"
    with pytest.raises(SpaceError, match="more than 10 files"):
        load(tmp_path / f"{MOST_FILES}.yaml")
    values = ", ".join(map(str, range(6000)))
    (tmp_path / "a.yaml").write_text(f"extends: 0.yaml\nstudy: {{a: [{values}]}}\n")
    (tmp_path / "b.yaml").write_text(f"extends: a.yaml\nstudy: {{b: [{values}]}}\n")
    assert len(load(tmp_path / "a.yaml").study["a"]) == 6000
    with pytest.raises(SpaceError, match="more than 10,000 values"):
        load(tmp_path / "b.yaml")


def test_extends_is_no_key_of_an_override(extended):
    with pytest.raises(SpaceError, match=r"--set extends: is written in a file"):
        extended("", overrides=["extends=tickets"])
    with pytest.raises(SpaceError, match=r"base: unknown block.* write extends: base.yaml"):
        extended("", first="base: base.yaml\n")
