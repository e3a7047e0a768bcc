"""--print-config: the space with every setting, which has the same trials."""

import io
import zipfile

import pytest
from local_sweep import run_locally
from spaces import TINY

import search_spaces
import sweeps
from sweeps.__main__ import cli
from sweeps.jobs.package import package
from sweeps.planning.resolved import resolved

SEARCHES = {
    "random": "space: {lr: {loguniform: [1.0e-4, 0.1]}, seed: {grid: [0, 1]},"
    " attack.steps: {randint: [1, 8]}}\nsearch: {algorithm: random, num_samples: 5, seed: 7}\n",
    "tpe": "space: {lr: {uniform: [1.0e-4, 0.1]}, attack.name: {choice: [path_fgsm, path_pgd]},"
    " attack.steps: {randint: [1, 8], when: {attack.name: [path_pgd]}}}\n"
    "search: {algorithm: tpe, num_samples: 5, objectives: [val_cvar_05]}\n"
    "scheduler: {asha: {grace_period: 1}}\n",
    "pbt": "space: {lr: {grid: [1.0e-3, 1.0e-2]}}\n"
    "scheduler: {pbt: {axes: [lr], quantile: 0.5}}\n",
}


def same_trials(plan, other):
    assert [(t.config, t.study, t.limit) for t in other.trials] == [
        (t.config, t.study, t.limit) for t in plan.trials
    ]
    assert (other.study, other.rungs, other.seeds) == (plan.study, plan.rungs, plan.seeds)
    assert list(other.preparations) == list(plan.preparations)
    for block in ("experiment", "search", "scheduler", "resources", "space", "when"):
        assert getattr(other.space, block) == getattr(plan.space, block)


@pytest.mark.parametrize("name", search_spaces.shipped())
def test_the_printed_space_has_the_trials_of_a_shipped_one(name, tmp_path):
    plan = sweeps.plan(name, overrides={"space.seed.grid": [3]})
    (tmp_path / "saved.yaml").write_text(resolved(plan))
    same_trials(plan, again := sweeps.plan(tmp_path / "saved.yaml"))
    assert resolved(again).splitlines()[1:] == resolved(plan).splitlines()[1:]


@pytest.mark.parametrize("name", SEARCHES)
def test_the_printed_space_has_the_trials_of_every_search(name, tmp_path):
    (tmp_path / "s.yaml").write_text(f"experiment: tickets\n{SEARCHES[name]}")
    plan = sweeps.plan(tmp_path / "s.yaml")
    (tmp_path / "saved.yaml").write_text(resolved(plan))
    same_trials(plan, sweeps.plan(tmp_path / "saved.yaml"))


def test_a_mapping_is_planned_as_the_file_it_stands_for():
    blocks = {"extends": "tickets_smoke", "space": {"seed": {"grid": [3]}}}
    plan = sweeps.plan(blocks, overrides={"study.training.epochs": 2})
    assert plan.seeds == (3,)
    assert {t.limit for t in plan.trials} == {2}
    assert sweeps.plan(search_spaces.build(blocks)).seeds == (3,)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_command_prints_the_space_after_overrides_and_does_nothing_else(
    command, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    arguments = [command, "tiny.yaml", "--set", "study.option.strike=90", "--print-config"]
    cli.main(arguments, standalone_mode=False)
    text = capsys.readouterr().out
    assert "option: {strike: 90.0}" in text
    (tmp_path / "saved.yaml").write_text(text)
    plan = sweeps.plan("tiny.yaml", overrides=["study.option.strike=90"])
    same_trials(plan, sweeps.plan("saved.yaml"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved.yaml", "tiny.yaml"]


def test_a_line_of_a_file_that_makes_an_inherited_one_wrong_is_named(tmp_path):
    """As while loading, and here for what only the study knows."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    mine = (
        "extends: tiny.yaml\nstudy:\n  market: {train_paths: 100}\n  training: {batch_size: 200}\n"
    )
    (tmp_path / "mine.yaml").write_text(mine)
    with pytest.raises(sweeps.SpaceError, match=r"^mine\.yaml:4 study\.training\.batch_size: 200"):
        sweeps.plan(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("extends: tiny.yaml\n\nstudy: {training: {epochs: 2}}\n"
                                        "scheduler: {asha: {mode: max}}\n")  # fmt: skip
    with pytest.raises(sweeps.SpaceError, match=r"^mine\.yaml:4 scheduler\.asha\.mode"):
        sweeps.plan(tmp_path / "mine.yaml")
    (tmp_path / "tiny.yaml").write_text(TINY.replace("batch_size: 32", "batch_size: 300"))
    (tmp_path / "mine.yaml").write_text(
        "extends: tiny.yaml\n\nstudy: {market: {train_paths: 200}}\n"
    )
    with pytest.raises(sweeps.SpaceError) as caught:
        sweeps.plan(tmp_path / "mine.yaml")
    assert str(caught.value).startswith("mine.yaml:3 study.training.batch_size: 300 exceeds")
    assert "(inherited from tiny.yaml:10)" in str(caught.value)


def test_a_storage_needs_no_second_file(tmp_path, silent):
    for name, text in {
        "tiny.yaml": TINY,
        "mine.yaml": "extends: tiny.yaml\n"
        "space: {lr: {grid: [1.0e-2]}, epsilon: null, sparsity: {grid: [0.5]}}\n",
    }.items():
        (tmp_path / name).write_text(text)
    plan = sweeps.plan(tmp_path / "mine.yaml")
    run_locally(tmp_path / "mine.yaml", tmp_path / "out")
    for name in ("tiny.yaml", "mine.yaml"):
        (tmp_path / name).unlink()
    kept = tmp_path / "out" / "space.yaml"
    same_trials(plan, sweeps.plan(kept))
    # The same trials are found finished, without Ray.
    again = sweeps.run(kept, storage=tmp_path / "out", progress=silent)
    assert again.counts == {"completed": len(plan.trials)}
    assert kept.read_text() == plan.space.text


def test_a_job_carries_the_whole_space(tmp_path):
    """The head has neither the file nor the one that it extends."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "mine.yaml").write_text("extends: tiny.yaml\n")
    plan = sweeps.plan(tmp_path / "mine.yaml")
    packed = package(space=("mine.yaml", plan.space.text), data=None)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        archive.extract("mine.yaml", tmp_path / "head")
    same_trials(plan, sweeps.plan(tmp_path / "head" / "mine.yaml"))
