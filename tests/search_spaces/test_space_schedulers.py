from dataclasses import fields
from pathlib import Path

import pytest

from search_spaces import (
    SCHEDULERS,
    Asha,
    Hyperband,
    IEpoch,
    Median,
    Pbt,
    Resources,
    Search,
    SpaceError,
    StockAsha,
    load,
)
from tests.cures import check_facts

DOCS = Path(__file__).resolve().parents[2] / "docs" / "spaces.md"
SPACE = """\
experiment: tickets
space:
  lr: {loguniform: [1.0e-4, 1.0e-1]}
  epsilon: {grid: [0.0, 0.1]}
  network.hidden: {choice: [[8], [16]]}
  seed: {grid: [0, 1]}
search: {algorithm: random, num_samples: 4}
scheduler:
  """
ADAPTIVE = SPACE.replace("random", "tpe")


def loaded(write, scheduler, text=SPACE):
    return load(write(f"{text}{scheduler}\n")).scheduler


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("asha: {block: 9, lag: 0, replicates: seed}", Asha(block=9, lag=0, replicates="seed")),
        ("asha: {}", Asha(block=27, lag=27, replicates=None)),
        (
            "i_epoch: {epochs: 2, finish: 4, replicates: seed}",
            IEpoch(epochs=2, finish=4, replicates="seed"),
        ),
        ("stock_asha: {stratify_by: [epsilon]}", StockAsha(stratify_by=("epsilon",))),
        ("median: {grace_period: 2}", Median(grace_period=2, min_samples=3)),
        ("hyperband: {max_t: 81}", Hyperband(max_t=81, reduction_factor=3)),
        ("pbt: {axes: [lr]}", Pbt(axes=("lr",), quantile=0.25)),
    ],
)
def test_every_scheduler_is_read_as_written(write, written, rule):
    assert loaded(write, written) == rule


def test_every_scheduler_says_the_key_it_is_written_under():
    assert {name: rule.kind for name, rule in SCHEDULERS.items()} == {n: n for n in SCHEDULERS}


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_every_scheduler_compares_a_metric_up_to_max_t(kind):
    assert {"metric", "mode", "max_t"} <= {field.name for field in fields(SCHEDULERS[kind])}


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_every_key_of_a_scheduler_is_documented(kind):
    section = DOCS.read_text().split(f"### `{kind}`")[1].split("\n#")[0]
    common = DOCS.read_text().split("## `scheduler`")[1].split("\n### ")[0]
    for field in fields(SCHEDULERS[kind]):
        assert f"`{field.name}`" in section + common, field.name


@pytest.mark.parametrize("block", [Search, Resources])
def test_every_key_of_search_and_resources_is_documented(block):
    section = DOCS.read_text().split(f"## `{block.__name__.lower()}`")[1].split("\n## ")[0]
    for field in fields(block):
        assert f"`{field.name}`" in section, field.name


MISTAKES = [
    (
        "asha: {replicates: lr}",
        "scheduler.asha.replicates",
        ("got 'lr'", "write replicates: seed"),
    ),
    (
        "asha: {replicates: seed, stratify_by: [epsilon, seed]}",
        "scheduler.asha.replicates",
        ("write replicates: null",),
    ),
    ("asha: {block: 0}", "scheduler.asha.block", ("got 0", "write block: 27")),
    ("asha: {lag: -1}", "scheduler.asha.lag", ("got -1", "write lag: 27")),
    ("asha: {min_samples: 3}", "scheduler.asha.min_samples", ("remove it",)),
    ("stock_asha: {block: 3}", "scheduler.stock_asha.block", ("remove it",)),
    (
        "stock_asha: {stratify_by: [eps]}",
        "scheduler.stock_asha.stratify_by",
        ("did you mean 'epsilon'", "write stratify_by: [epsilon]"),
    ),
    (
        "median: {min_samples: 0}",
        "scheduler.median.min_samples",
        ("got 0", "write min_samples: 3"),
    ),
    (
        "median: {grace_period: 5, max_t: 3}",
        "scheduler.median.grace_period",
        ("got 5", "write grace_period: 3"),
    ),
    (
        "hyperband: {reduction_factor: 1}",
        "scheduler.hyperband.reduction_factor",
        ("got 1", "write reduction_factor: 3"),
    ),
    ("hyperband: {grace_period: 1}", "scheduler.hyperband.grace_period", ("remove it",)),
    ("pbt: {}", "scheduler.pbt.axes", ("write axes: [lr]",)),
    ("pbt: {axes: []}", "scheduler.pbt.axes", ("write axes: [lr]",)),
    ("pbt: {axes: [seed]}", "scheduler.pbt.axes", ("write axes: [lr]",)),
    ("pbt: {axes: [network.hidden]}", "scheduler.pbt.axes", ("write scheduler: null",)),
    ("pbt: {axes: [lrr]}", "scheduler.pbt.axes", ("did you mean 'lr'", "write axes: [lr]")),
    (
        "pbt: {axes: [lr], quantile: 0.6}",
        "scheduler.pbt.quantile",
        ("got 0.6", "write quantile: 0.25"),
    ),
    (
        "pbt: {axes: [lr], quantile: 0}",
        "scheduler.pbt.quantile",
        ("got 0", "write quantile: 0.25"),
    ),
    (
        "pbt: {axes: [lr], perturbation_interval: 0}",
        "scheduler.pbt.perturbation_interval",
        ("got 0", "write perturbation_interval: 1"),
    ),
    ("median: {metric: }", "scheduler.median.metric", ("got null", "write metric: val_loss")),
]


@pytest.mark.parametrize(("written", "key", "facts"), MISTAKES)
def test_a_mistake_names_the_scheduler_and_its_field(write, written, key, facts):
    with pytest.raises(SpaceError) as caught:
        loaded(write, written)
    check_facts(caught.value, "tickets.yaml:9", key, facts)


def test_replicates_must_be_an_axis(write):
    text = SPACE.replace("  seed: {grid: [0, 1]}\n", "")
    with pytest.raises(SpaceError, match=r"asha\.replicates: 'seed' is not an axis of space"):
        loaded(write, "asha: {replicates: seed}", text)


@pytest.mark.parametrize("key", ["asha: {stratify_by: [epsilon]}", "pbt: {axes: [epsilon]}"])
def test_what_a_scheduler_names_exists_in_every_trial(write, key):
    text = SPACE.replace("[0.0, 0.1]}", "[0.0, 0.1], when: {network.hidden: [[8]]}}")
    with pytest.raises(SpaceError, match="'epsilon' has a condition, so it does not exist"):
        loaded(write, key, text)


def test_under_proposals_asha_waits_for_no_block_unless_told_to(write):
    asha = loaded(write, "asha: {stratify_by: [epsilon]}", ADAPTIVE)
    assert (asha.block, asha.lag) == (1, 0)
    asha = loaded(write, "asha: {block: 8, lag: 3}", ADAPTIVE)
    assert (asha.block, asha.lag) == (8, 3)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "asha: {block: 9}",
            "asha.block: a proposal of tpe would wait for a block that is never filled, got 9 .*"
            "write block: 8",
        ),
        ("asha: {block: 2, stratify_by: [epsilon]}", "asha.block: .* got 2; write block: 1$"),
        ("hyperband: {}", "hyperband: a proposal of tpe would wait for a bracket"),
        (
            "pbt: {axes: [lr]}",
            "pbt: changes what tpe proposes; .*; write algorithm: random below search:",
        ),
    ],
)
def test_a_rule_for_which_proposals_would_wait_forever_is_refused(write, written, message):
    with pytest.raises(SpaceError, match=rf"^tickets\.yaml:9 scheduler\.{message}"):
        loaded(write, written, ADAPTIVE)
