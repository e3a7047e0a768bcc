import json
import shutil

import faked_sweep
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sweeps
from hedgecore.config import to_mapping
from sweeps import SpaceError
from sweeps.journal.checksums import Sums
from sweeps.scheduling.optuna_search import search_for
from sweeps.scheduling.warm_start import earlier

TPE = ["search.algorithm=tpe", "search.num_samples=9", "space.lr={loguniform: [0.001, 0.1]}"]


@pytest.fixture
def storage(tiny, tmp_path):
    """A finished sweep of four configurations at two seeds."""
    return filed(tmp_path / "before", sweeps.plan(tiny, overrides=BEFORE))


ATTACKED = "val_attacked_cvar_05@path_fgsm:0.2"
BEFORE = ["space.seed.grid=[0, 1]", "space.sparsity.grid=[0.0]"]


def filed(folder, plan, **ended):
    """The tables of ``plan``: trial i validated best in epoch 2, with the loss i."""
    folder.mkdir()
    trials, epochs = [], []
    for trial in plan.trials:
        config = {f"config/{name}": value for name, value in trial.config.items()}
        about = {"trial_id": str(trial.index), "best_epoch": 2, "status": "completed"}
        about |= {"sparsity_achieved": 0.25, ATTACKED: -5.0 - trial.seed}
        trials.append({**about, **config, **ended.get(f"t{trial.index}", {})})
        for epoch in (1, 2, 3):
            risk = {"val_loss": trial.index + 10.0 * (epoch != 2), "val_pnl_mean": -1.0 * epoch}
            place = {"trial_id": str(trial.index), "epoch": epoch, "best": epoch < 3}
            epochs.append({**place, **risk})
    pq.write_table(pa.Table.from_pylist(trials), folder / "trials.parquet")
    pq.write_table(pa.Table.from_pylist(epochs), folder / "epochs.parquet")
    space = {name: {"grid": domain.ends()} for name, domain in plan.space.space.items()}
    manifest = {
        "experiment": "tickets",
        "study": to_mapping(plan.study),
        "space": space,
        "scheduler": None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def after(tiny, storage, *more):
    return sweeps.plan(tiny, overrides=[*TPE, f"search.warm_start=['{storage}']", *more])


def test_a_configuration_has_the_mean_of_its_seeds_at_their_best_epochs(tiny, storage):
    assert earlier(after(tiny, storage)) == [
        ({"sparsity": 0.0, "lr": 0.01, "epsilon": 0.0}, (0.5,)),
        ({"sparsity": 0.0, "lr": 0.01, "epsilon": 0.2}, (2.5,)),
        ({"sparsity": 0.0, "lr": 0.003, "epsilon": 0.0}, (4.5,)),
        ({"sparsity": 0.0, "lr": 0.003, "epsilon": 0.2}, (6.5,)),
    ]


def test_every_objective_is_read(tiny, storage):
    names = ["val_pnl_mean", "val_loss", "sparsity_achieved", ATTACKED]
    plan = after(tiny, storage, f"search.objectives={names}")
    assert earlier(plan)[1][1] == (-2.0, 2.5, 0.25, -5.5)


def test_a_configuration_without_an_objective_does_not_count(tiny, tmp_path):
    plan = sweeps.plan(tiny, overrides=BEFORE)
    storage = filed(tmp_path / "some", plan, t2={ATTACKED: None}, t4={ATTACKED: float("nan")})
    found = earlier(after(tiny, storage, f"search.objectives=['{ATTACKED}']"))
    assert [config["lr"] for config, _ in found] == [0.01, 0.003]


def test_a_sweep_without_the_column_of_an_objective_is_refused(tiny, storage):
    table = pq.read_table(storage / "trials.parquet").drop_columns([ATTACKED])
    pq.write_table(table, storage / "trials.parquet")
    with pytest.raises(
        SpaceError, match=rf"search\.warm_start: .*before has no column '{ATTACKED}"
    ):
        earlier(after(tiny, storage, f"search.objectives=['{ATTACKED}']"))


@pytest.mark.parametrize("status", ["stopped", "failed", "running"])
def test_a_configuration_counts_if_all_its_trials_are_complete(tiny, tmp_path, status):
    plan = sweeps.plan(tiny, overrides=BEFORE)
    storage = filed(tmp_path / "cut", plan, t3={"status": status})
    assert [values for _, values in earlier(after(tiny, storage))] == [(0.5,), (4.5,), (6.5,)]


def test_an_axis_that_varied_only_then_must_have_had_todays_value(tiny, storage):
    tiny.write_text(tiny.read_text().replace("  epsilon: {grid: [0.0, 0.2]}\n", ""))
    plan = after(tiny, storage, "study.attack.epsilon=0.2")
    assert earlier(plan) == [
        ({"sparsity": 0.0, "lr": 0.01}, (2.5,)),
        ({"sparsity": 0.0, "lr": 0.003}, (6.5,)),
    ]


def test_an_axis_that_varies_only_now_has_the_value_of_the_study_then(tiny, storage):
    plan = after(tiny, storage, "space.attack.variance_scale={uniform: [50, 200]}")
    assert {config["attack.variance_scale"] for config, _ in earlier(plan)} == {100.0}


def test_a_search_begins_with_what_the_space_could_propose(tiny, storage):
    plan = after(tiny, storage, "space.lr={loguniform: [0.005, 0.1]}")
    search = search_for(plan, earlier(plan))
    assert (search.skipped, len(search.study.trials)) == (2, 2)
    assert [d.name for d in search.study.directions] == ["MINIMIZE"]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("study.market.xi=0.3", "market.xi"),
        ("study.risk.tail=0.1", "risk.tail"),
        ("scheduler.asha={max_t: 2, block: 1, lag: 0}", "scheduler max_t"),
    ],
)
def test_a_sweep_of_another_study_is_refused(tiny, storage, change, shown):
    message = rf"^--set search\.warm_start: .*before holds a sweep of another study \({shown}\)"
    with pytest.raises(SpaceError, match=message):
        earlier(after(tiny, storage, change))


ASKING = f"search.objectives=['{ATTACKED}']"


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ("study.market.test_paths=256", [ASKING]),
        ("study.evaluation.path_fgsm=[0.1, 0.2]", [ASKING]),
        ("study.evaluation.variance_scale=50", []),
    ],
)
def test_how_trials_are_tested_does_not_matter_unless_a_search_sees_it(
    tiny, storage, change, more
):
    assert len(earlier(after(tiny, storage, change, *more))) == 4


def test_another_attack_matters_to_a_search_that_sees_it(tiny, storage):
    with pytest.raises(SpaceError, match=r"another study \(evaluation.variance_scale\)"):
        earlier(after(tiny, storage, "study.evaluation.variance_scale=50", ASKING))


def test_trials_that_changed_while_they_trained_are_refused(tiny, storage):
    manifest = json.loads((storage / "manifest.json").read_text())
    manifest["scheduler"] = {"pbt": {"max_t": None, "axes": ["lr"]}}
    (storage / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SpaceError, match=r"another study \(its trials changed while they train"):
        earlier(after(tiny, storage))


@pytest.mark.parametrize("lost", ["manifest.json", "trials.parquet", "epochs.parquet"])
def test_a_folder_without_a_whole_sweep_is_refused(tiny, storage, lost):
    (storage / lost).unlink()
    with pytest.raises(SpaceError, match=r"search\.warm_start: .*before holds no readable sweep"):
        earlier(after(tiny, storage))


@pytest.mark.parametrize("damaged", ["manifest.json", "trials.parquet", "epochs.parquet"])
def test_a_damaged_sweep_is_refused(tiny, storage, damaged):
    (storage / damaged).write_bytes(b"PAR1 half a file")
    with pytest.raises(SpaceError, match=r"search\.warm_start: .*before holds no readable sweep"):
        earlier(after(tiny, storage))


@pytest.mark.parametrize("damaged", ["manifest.json", "trials.parquet", "epochs.parquet"])
def test_a_sweep_whose_files_are_not_those_it_lists_is_refused(tiny, storage, damaged):
    sums = Sums(storage)
    for name in ("manifest.json", "trials.parquet", "epochs.parquet"):
        with (storage / name).open("rb") as stream:
            sums.announce(name)(stream)
    earlier(after(tiny, storage))
    content = bytearray((storage / damaged).read_bytes())
    content[len(content) // 2] ^= 1
    (storage / damaged).write_bytes(content)
    with pytest.raises(SpaceError, match=rf"{damaged} is not the file that SHA256SUMS lists"):
        earlier(after(tiny, storage))


def test_without_earlier_sweeps_there_is_nothing_to_begin_with(tiny):
    assert earlier(sweeps.plan(tiny, overrides=TPE)) == []


def risk(config, epoch):
    return (config["lr"] - 0.02) ** 2 + config["sparsity"] / epoch


def searched(tiny, storage, out, **arguments):
    """All trials of a search that begins with the sweep in ``storage``."""
    overrides = [*TPE, f"search.warm_start=['{storage}']"]
    sweep = faked_sweep.run(tiny, out, risk, overrides=overrides, **arguments)
    return [(t.state, t.values, t.params) for t in sweep.study.trials]


def test_a_search_resumes_from_what_it_began_with_though_that_is_gone(tiny, storage, tmp_path):
    whole = searched(tiny, storage, tmp_path / "whole")
    assert len(whole) == 4 + 9
    searched(tiny, storage, tmp_path / "out", stop_after=3)
    shutil.rmtree(storage)
    assert searched(tiny, storage, tmp_path / "out") == whole


def test_a_search_resumes_from_what_it_began_with_though_that_has_grown(tiny, storage, tmp_path):
    whole = searched(tiny, storage, tmp_path / "whole")
    searched(tiny, storage, tmp_path / "out", stop_after=3)
    shutil.rmtree(storage)
    more = [*BEFORE, "space.lr.grid=[0.01, 0.003, 0.05]"]
    filed(storage, sweeps.plan(tiny, overrides=more))
    assert searched(tiny, storage, tmp_path / "out") == whole
    assert searched(tiny, storage, tmp_path / "later") != whole


def test_a_search_that_is_to_begin_with_another_sweep_does(tiny, storage, tmp_path):
    searched(tiny, storage, tmp_path / "out", stop_after=3)
    more = [*BEFORE, "space.lr.grid=[0.01, 0.003, 0.05]"]
    other = filed(tmp_path / "other", sweeps.plan(tiny, overrides=more))
    assert len(searched(tiny, other, tmp_path / "out")) == 6 + 9
