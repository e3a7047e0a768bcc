import json
from itertools import islice

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

from hedgecore.config import to_mapping
from hedgecore.experiment import Run
from hedgecore.fingerprints import tensor_sha256
from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.deployment import DisclosureError, explained_classifier
from hedgecore.insurance.experiment import XNN
from hedgecore.insurance.xnn.methods import METHODS
from hedgecore.insurance.xnn.network import pre_activations
from hedgecore.training.convergence import DivergedError


def opened(study, preparation, checkpoint=None):
    trial = {
        "trial_id": "0123456789abcdef",
        "config": {"seed": 0},
        "study": to_mapping(study),
        "theta_0_sha256": tensor_sha256(preparation.theta_0.values()),
    }
    return XNN.open_run(trial, checkpoint, preparation=preparation, device="cpu")


def untimed(row):
    return {name: value for name, value in row.items() if name != "seconds"}


def course(run):
    """Rows, the last row and the model of a run from where it is to its end."""
    rows = [untimed(row) for row in run.epochs()]
    end, model = run.finish()
    return rows, untimed(end), model


@pytest.fixture(scope="module")
def pulled(clustered):
    return clustered.with_axes({"adj_weight": 1.0})


@pytest.fixture(scope="module")
def done(pulled, preparation):
    """A run that was never cut."""
    return course(opened(pulled, preparation))


def test_a_trial_is_a_run_that_knows_its_centroids(pulled, preparation):
    run = opened(pulled, preparation)
    assert isinstance(run, Run)
    assert run.facts == {"centroids": 3}


def test_rows_have_the_columns_of_the_experiment(pulled, preparation):
    run = opened(pulled, preparation)
    row = next(run.epochs())
    assert {*row} == {column.name for column in XNN.columns.epochs([])} - {"trial_id", "audit"}
    end, _ = run.finish()
    measured = {column.name for column in (*XNN.columns.results, *XNN.columns.references)}
    assert {*end, *run.facts, *preparation.columns} - {"seconds"} == {
        *measured,
        *(name for name in end if XNN.columns.member(name).meaning),
    }


def test_seconds_never_fall(pulled, preparation):
    run = opened(pulled, preparation)
    seconds = [row["seconds"] for row in run.epochs()]
    end, _ = run.finish()
    assert seconds == sorted(seconds)
    assert end["seconds"] >= seconds[-1] > 0


@pytest.mark.parametrize("method", METHODS)
def test_weight_zero_has_the_plain_networks_numbers_to_the_last_bit(method, study, base):
    rows, end, _ = course(opened(study.with_axes({"method": method}), base))
    assert min(row["val_loss"] for row in rows) == base.columns["plain_val_loss"]
    assert {name: end[name] for name in base.baselines["plain"]} == base.baselines["plain"]
    assert end["explanation_gain"] <= 1e-12


@pytest.mark.parametrize("cut", [1, 3, 4])
def test_a_run_that_was_cut_goes_on_to_the_last_bit(cut, pulled, preparation, done):
    first = opened(pulled, preparation)
    rows = [untimed(row) for row in islice(first.epochs(), cut)]
    again = opened(pulled, preparation, first.checkpoint())
    rest, end, model = course(again)
    assert (rows + rest, end, model) == done


def test_seconds_go_on_where_a_run_was_cut(pulled, preparation):
    first = opened(pulled, preparation)
    before = next(first.epochs())["seconds"]
    again = opened(pulled, preparation, first.checkpoint())
    assert next(again.epochs())["seconds"] > before


@pytest.mark.parametrize("batch_size", [1, 24, 40, 4096])
def test_every_batch_size_runs_with_whatever_is_left_for_the_last(
    batch_size, clustered, preparation
):
    study = clustered.with_axes({"adj_weight": 1.0, "training.batch_size": batch_size})
    row = next(opened(study, preparation).epochs())
    assert 0 < row["val_loss"] < 10


def test_a_network_that_diverges_says_so(clustered, preparation):
    study = clustered.with_axes({"adj_weight": 1.0, "lr": 1e15})
    with pytest.raises(DivergedError, match="lower the learning rate"):
        list(opened(study, preparation).epochs())


def test_another_theta_0_than_the_trials_is_a_bug(pulled, preparation):
    trial = {"study": to_mapping(pulled), "theta_0_sha256": "0" * 64}
    with pytest.raises(AssertionError, match="theta_0 changed"):
        XNN.open_run(trial, None, preparation=preparation, device="cpu")


def test_the_published_encoding_and_split_run_from_beginning_to_end(clustered):
    published = {"data.encoding": "published", "data.split": "published"}
    study = clustered.with_axes({**published, "adj_weight": 1.0, "training.epochs": 2})
    preparation = XNN.trainer.prepare(study, seed=0)
    rows, end, model = course(opened(study, preparation))
    # It holds nothing out: what is tested on was selected on.
    assert end["cross_entropy"] == pytest.approx(min(row["val_loss"] for row in rows), rel=1e-5)
    assert load(model)["encoding.axes"].shape == (10, 130)


# The model.


def test_the_model_knows_its_trial_and_how_rows_become_inputs(done, preparation, tmp_path):
    path = tmp_path / XNN.model_file
    path.write_bytes(done[2])
    with safe_open(path, "pt") as file:
        trial = json.loads(file.metadata()["trial"])
    assert trial["trial_id"] == "0123456789abcdef"
    assert trial["inputs"] == preparation.about["encoding"]["names"]
    assert trial["encoding"] == preparation.about["encoding"]


def test_the_model_gives_the_losses_that_were_reported(done, preparation):
    rows, end, model = done
    stored = load(model)
    theta = {name: stored[name] for name in preparation.theta_0}
    for split, loss in (("val", min(r["val_loss"] for r in rows)), ("test", end["cross_entropy"])):
        part = preparation.rows(split)
        found = torch.nn.functional.cross_entropy(pre_activations(theta, part.x)[-1], part.y)
        assert float(found) == pytest.approx(loss, rel=1e-5)


def test_the_model_measures_distances_to_its_centroids(done, preparation):
    stored = load(done[2])
    x = preparation.rows("test").x
    gap = (x[:, None] - stored["centroids.points"]) @ stored["centroids.inverse_root"].T
    expected = torch.from_numpy(preparation.distances("test"))
    torch.testing.assert_close(gap.norm(dim=2), expected, rtol=1e-3, atol=1e-3)


def test_what_is_deployed_has_the_layout_of_its_architecture(done, pulled, preparation):
    trial = {"inputs": ["a"], "encoding": {}, "centroid_rows": [200, 100, 20]}
    deployed = XNN.deployed(pulled, load(done[2]), trial)
    layout = explained_classifier(**deployed.sizes)
    found = {
        name: (str(t.dtype).removeprefix("torch."), tuple(t.shape))
        for name, t in deployed.tensors.items()
    }
    assert found == dict(layout)
    assert deployed.facts == trial


@pytest.mark.parametrize("about", [{"centroid_rows": [300, 19]}, {}])
def test_centroids_of_few_rows_are_not_deployed(about, done, pulled):
    cure = "min_rows to 20" if about else "run the space again"
    with pytest.raises(DisclosureError, match=cure):
        XNN.deployed(pulled, load(done[2]), {"inputs": ["a"], "encoding": {}, **about})


# What it costs, and what a search sees.


def test_kinds_forget_what_takes_no_time(study):
    kind = XNN.cost.timing_key(
        study.with_axes({"lr": 0.1, "adj_weight": 3.0, "explanation.alpha": 1.0})
    )
    assert kind == XNN.cost.timing_key(study.with_axes({"adj_weight": 0.1}))
    assert kind != XNN.cost.timing_key(study.with_axes({"adj_weight": 0.0}))
    assert XNN.cost.timing_key(kind) == kind


def test_work_grows_with_rows_networks_and_smaller_batches():
    plain = XnnStudy()
    for axes in ({"data.rows": 90_000}, {"network.hidden": [128, 32]}, {"training.batch_size": 9}):
        assert XNN.cost.epoch_work(plain.with_axes(axes)) > XNN.cost.epoch_work(plain)


def test_reduced_kinds_keep_their_batches_and_take_little(study):
    whole = XnnStudy().with_axes({"data.rows": 4_000_000, "training.batch_size": 256})
    kinds = [XNN.cost.timing_key(whole), XNN.cost.timing_key(whole.with_axes({"adj_weight": 1.0}))]
    parts = XNN.cost.reduced(kinds, most=1e9)
    assert len({part.shared_study() for part in parts}) == 1
    assert all(XNN.cost.epoch_work(part) <= 1.1e9 for part in parts)
    assert all(part.training.batch_size == 256 for part in parts)
    assert parts[0].shared_study().training.epochs == 1


def test_a_base_trains_the_plain_network_and_what_adds_to_it_nothing(study, clustered):
    assert XNN.cost.trained(study) == [study.shared_study()]
    assert XNN.cost.trained(clustered) == []


def test_bytes_told_are_about_those_that_are_there(study, base):
    tensors = [*base.inputs.values(), *(t for file in base.files.values() for t in file.values())]
    there = sum(t.numel() * t.element_size() for t in tensors)
    assert XNN.cost.stored_bytes(study) == pytest.approx(there, rel=0.3)


@pytest.mark.parametrize(
    ("path", "objectives", "answer"),
    [
        ("explanation.adj_weight", ["val_loss"], True),
        ("clustering.clusters", ["val_loss"], True),
        ("evaluation.group", ["val_explanation_gain"], False),
        ("evaluation.layer", ["val_loss"], False),
        ("evaluation.layer", ["val_loss", "val_r2_mean"], True),
        ("baseline.rounds", ["val_explanation_gain"], False),
        ("baseline.lr", ["val_explanation_gain"], True),
        ("baseline.lr", ["val_loss"], False),
    ],
)
def test_a_search_sees_what_its_objectives_depend_on(path, objectives, answer):
    assert XNN.search.affects(path, objectives) == answer


def test_no_search_sees_the_test(study):
    assert not {*XNN.search.objectives(study)} & {*XNN.search.tested(study)}
    assert {"val_explanation_gain", "val_loss"} <= XNN.search.objectives(study).keys()


def test_an_end_is_told_in_a_few_words():
    row = {"cross_entropy": 1.2229, "explanation_gain": 0.3149}
    assert XNN.wording.describe_result(row) == "cross-entropy 1.223, explanation gain +0.31"
