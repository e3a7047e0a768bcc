"""Sweep files of other tools: named, refused, and translated into a space that loads."""

import pytest
from foreign_sweeps import SWEEPS, WANDB

from search_spaces import SpaceError, build, load
from search_spaces.yaml_source import parse

LONGEST = 2600
"""Characters of a message: a translation of 2000, and what surrounds it."""


def refused(write, text) -> str:
    with pytest.raises(SpaceError) as caught:
        load(write(text))
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < LONGEST
    return message


def pasted(write, message):
    """The space that a message says to write, as text and as a space."""
    text = message.partition("; the same axes as a space file: write ")[2]
    return parse(text, file="s").tree, load(write(text))


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_of_another_tool_is_named_and_its_axes_are_a_space_that_loads(write, name):
    text, tool, axes, search, left = SWEEPS[name]
    message = refused(write, text)
    assert message.startswith(f"tickets.yaml:1: a sweep of {tool}, not a space; ")
    tree, space = pasted(write, message)
    assert tree["space"] == axes
    assert tree["search"] == search
    assert list(space.space) == list(axes)
    named = message.partition("without an equivalent here: ")[2].partition("; the same")[0]
    assert named == ", ".join(f"'{one}'" for one in left)


def test_a_sweep_is_recognised_in_a_mapping_and_in_a_file_that_is_extended(write, tmp_path):
    with pytest.raises(SpaceError, match="a sweep of Weights & Biases"):
        build(parse(WANDB, file="s").tree)
    (tmp_path / "sweep.yaml").write_text(WANDB)
    with pytest.raises(SpaceError, match=r"^sweep\.yaml:1: a sweep of Weights"):
        load(write("extends: sweep.yaml\n"))


@pytest.mark.parametrize(
    "text",
    [
        "experiment: tickets\nparameters: {lr: {values: [1]}}\nmethod: grid\n",
        "space: {lr: {grid: [1]}}\nhyperparameters: {lr: 1}\nsearcher: {name: grid}\n",
        "parameters: [1]\nmethod: grid\n",
        "hydra: 3\n",
        "searcher: 1\nhyperparameters: 2\n",
        "searchSpace: 3\ntuner: 3\n",
        "kind: Experiment\nspec: {}\n",
        "lr: {grid: [1]}\n",
        "config: 3\n",
        "a: {config: {lr: 1}}\n",
    ],
)
def test_a_space_with_mistakes_is_no_sweep_of_another_tool(write, text):
    assert "a sweep of" not in refused(write, text)


@pytest.mark.parametrize(
    "text",
    [
        "method: random\nparameters: {}\n",
        "method: random\nparameters: {a: {distribution: normal, mu: 0}}\n",
        "method: 3\nparameters: {a: {values: 3}, b: {values: []}, c: {min: x, max: y}}\n",
        'method: grid\nparameters: {"\\e[31m": {values: ["\\e]0;x\\a", "\\u202e"]}}\n',
        "method: grid\nparameters: {grid: {values: [1, 2]}, 'a b': {values: [1, 2]}}\n",
        "method: grid\nparameters: {a.lr: {values: [1, 2]}, b.lr: {values: [3, 4]}}\n",
        "method: bayes\nrun_cap: -3\nparameters: {seed: {min: 1, max: 9}}\n",
        "method: bayes\nparameters: {seed: {values: [1, 2]}}\n",
        "method: grid\nparameters: {a: {distribution: log_uniform, min: 5000, max: 9000}}\n",
        "hyperparameters: {a: {type: log, base: x, minval: [], maxval: 1}}\nsearcher: 3\n",
        "hyperparameters: {a: {type: log, base: -2, minval: 0.5, maxval: 1.5}}\nsearcher: {}\n",
        "hyperparameters: {a: {type: double}}\nsearcher: {max_trials: many}\n",
        "apiVersion: kubeflow.org/v1\nspec: {parameters: [3, {name: 4}, {name: a}]}\n",
        "apiVersion: kubeflow.org/v1\nspec: {parameters: [{name: a, parameterType: int, "
        "feasibleSpace: {min: '0', max: '1.0e+9', step: '1.0e-9'}}]}\n",
        "hydra: {sweeper: {params: 3, search_space: [1], ax_config: 2}}\n",
        "hydra: {sweeper: {params: {a: 'tag(log', b: 'tag()', c: 'tag(log, interval(1))'}}}\n",
        "param_space: {a: 'tune.choice(', b: 'tune.grid_search([1, 2'}\n",
    ],
)
def test_a_strange_sweep_is_one_line_and_what_it_says_to_write_loads(write, text):
    message = refused(write, text)
    assert "a sweep of" in message
    if "write {" in message:
        pasted(write, message)


@pytest.mark.parametrize("letters", [3, 60])
def test_a_large_sweep_has_a_translation_of_bounded_length(write, letters):
    axes = "".join(f"  {'x' * letters}{i}: {{values: [1, 2, 3]}}\n" for i in range(900))
    message = refused(write, f"method: grid\nparameters:\n{axes}")
    _tree, space = pasted(write, message)
    assert 10 < len(space.space) < 100
    assert "and 8" in message
