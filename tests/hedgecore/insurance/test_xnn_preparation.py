import json

import numpy as np
import pandas as pd
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from hedgecore.experiment import Preparation
from hedgecore.fingerprints import tensor_sha256
from hedgecore.insurance.clusters.control_points import random_rows
from hedgecore.insurance.clusters.picture import pictured
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.data.applicants import SPLITS, Applicants
from hedgecore.insurance.data.schema import FEATURES
from hedgecore.insurance.data.synthetic import generate
from hedgecore.insurance.data.table import split
from hedgecore.insurance.evaluation.scores import cross_entropy
from hedgecore.insurance.experiment import XNN
from hedgecore.insurance.prepare import prepare, restore
from hedgecore.rng import stream


def equal(first, second):
    """True if all tensors are equal to the last bit, including NaN, and in the same order."""
    kinds = [[(n, t.dtype, t.shape) for n, t in tensors.items()] for tensors in (first, second)]
    return kinds[0] == kinds[1] and tensor_sha256(first.values()) == tensor_sha256(second.values())


def same(first, second):
    """True if two preparations are equal in all parts."""
    assert list(first.files) == list(second.files)
    files = all(equal(first.files[name], second.files[name]) for name in first.files)
    return files and equal(first.inputs, second.inputs) and first.about == second.about


# The insured.


def test_the_insured_are_the_same_under_every_seed_and_so_are_those_tested(study, base):
    other = Applicants.of(study.data, seed=1)
    table = generate(600, seed=0)
    assert other.table.sha256 == table.sha256 == base.about["table"]["sha256"]
    test = split(table, seed=7).test
    np.testing.assert_array_equal(other.parts.test, test)
    np.testing.assert_array_equal(base.rows("test").y.numpy(), table.labels[test])


def test_the_encoding_that_is_told_gives_the_inputs(base):
    inputs, about = base.inputs, base.about["encoding"]
    table = generate(600, seed=0)
    test = split(table, seed=0).test
    j = about["columns"].index("Ht")
    ht = (table.columns["Ht"][test] - float(inputs["encoding.mean"][j])) / float(
        inputs["encoding.sd"][j]
    )
    np.testing.assert_allclose(inputs["test.x"][:, j].numpy(), ht, rtol=1e-5, atol=1e-6)


def test_every_raw_column_of_the_test_rows_comes_back_as_it_was(base):
    table = generate(600, seed=0)
    test = split(table, seed=0).test
    for name in FEATURES:
        raw = table.columns[name][test]
        found = base.column(name)
        if raw.dtype.kind == "U":
            np.testing.assert_array_equal(found, raw)
        else:
            np.testing.assert_array_equal(found, raw.astype(np.float32))


def test_all_seeds_of_the_published_split_have_its_trees(study, tmp_path, monkeypatch):
    published = study.with_axes({"data.encoding": "published", "data.split": "published"})
    monkeypatch.setenv("HEDGESWEEP_TREES", str(tmp_path))
    first, files = prepare(published, seed=0), sorted(tmp_path.iterdir())
    second = prepare(published, seed=1)
    assert sorted(tmp_path.iterdir()) == files
    trees = ("boosted", "shifted", "classes")
    assert equal(*({n: p.files["predictions"][n] for n in trees} for p in (first, second)))
    assert not equal(first.theta_star, second.theta_star)


def test_seeds_that_split_the_table_otherwise_have_trees_of_their_own(study, base):
    other = prepare(study, seed=1)
    assert other.baselines["boosted"] != base.baselines["boosted"]


def test_the_published_encoding_has_ten_inputs(study):
    config = study.with_axes({"data.encoding": "published", "data.split": "published"}).data
    applicants = Applicants.of(config, seed=0)
    inputs = applicants.inputs()
    assert inputs["train.x"].shape == (480, 10)
    assert torch.equal(inputs["val.x"], inputs["test.x"])
    assert list(applicants.about()["encoding"]["codes"]) == [
        "Product_Info_2",
        "Product_Info_2_char",
        "Product_Info_2_num",
    ]


def test_a_table_that_is_not_there_is_refused_in_one_line_with_the_cure(study, tmp_path):
    missing = study.with_axes({"data.path": str(tmp_path / "train.csv")})
    with pytest.raises(ValueError, match=r"no file .*train.csv; .* as study.data.path, or null"):
        prepare(missing, seed=0)


def test_a_table_that_cannot_be_read_is_refused_in_one_line(study, tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("Id,Response\n1,8\n")
    with pytest.raises(ValueError, match=r"lacks column Product_Info_1"):
        prepare(study.with_axes({"data.path": str(path)}), seed=0)


def test_a_table_read_before_prepares_and_restores_the_same_without_its_file(study, tmp_path):
    path, table = tmp_path / "train.csv", generate(400, seed=0)
    frame = pd.DataFrame({"Id": range(1, 401), **table.columns, "Response": table.response})
    frame.to_csv(path, index=False)
    filed = study.with_axes({"data.path": str(path)})
    expected = prepare(filed, seed=0)
    contents = {str(path): path.read_bytes()}
    path.unlink()
    assert same(prepare(filed, seed=0, contents=contents), expected)
    stored = {"about": expected.about, "files": expected.files}
    assert same(restore(filed, seed=0, **stored, contents=contents), expected)


# Preparations and their bases.


def test_other_clusters_are_the_same_whether_there_is_a_base_or_not(clustered, preparation):
    assert same(prepare(clustered, seed=0), preparation)


def test_what_has_a_base_shares_its_tensors_but_for_clusters_and_distances(base, preparation):
    for name in ("theta_0", "theta_star", "predictions"):
        assert preparation.files[name] is base.files[name]
    own = {name for name in base.inputs if preparation.inputs[name] is not base.inputs[name]}
    assert own == {
        f"{part}.{to}distances" for part in SPLITS for to in ("", "random_", "rotated_")
    }


def test_what_has_a_base_tells_only_other_clusters(base, preparation):
    differing = {name for name in base.about if preparation.about[name] != base.about[name]}
    assert differing == {"clustering"}
    assert preparation.data_sha256 == base.data_sha256


def test_the_base_of_one_cluster_is_the_preparation_itself(study, base):
    assert prepare(study.with_axes({"adj_weight": 1.0}), seed=0, base=base) is base


def test_another_seed_has_another_theta_0_and_other_rows_to_validate_on(study, base):
    other = prepare(study, seed=1)
    assert not equal(other.theta_0, base.theta_0)
    assert torch.equal(other.rows("test").y, base.rows("test").y)
    assert other.data_sha256 != base.data_sha256


def test_a_preparation_is_restored_to_the_last_bit(clustered, preparation):
    about = json.loads(json.dumps(preparation.about))
    assert same(restore(clustered, seed=0, about=about, files=preparation.files), preparation)


def test_what_has_a_base_is_restored_upon_it(clustered, base, preparation):
    again = restore(clustered, seed=0, about=preparation.about, files=preparation.files, base=base)
    assert same(again, preparation)
    assert again.inputs["train.x"] is base.inputs["train.x"]
    assert again.theta_star is base.theta_star


def test_a_preparation_is_assembled_from_its_parts(preparation):
    p: Preparation = preparation
    again = XNN.trainer.assemble(seed=p.seed, about=p.about, files=p.files, inputs=p.inputs)
    assert same(again, preparation)


def test_more_clusters_than_distinct_rows_are_refused_before_anything_is_trained(study):
    with pytest.raises(ValueError, match=r"clusters must be fewer than the 384 training rows"):
        prepare(study.with_axes({"clusters": 384, "baseline.lr": 1e15}), seed=0)


def test_what_is_prepared_and_restored_is_computed_on_one_thread(clustered, base, preparation):
    for made in (
        lambda: prepare(clustered, seed=0, base=base),
        lambda: restore(clustered, seed=0, about=preparation.about, files=preparation.files),
    ):
        threadpool_limits(limits=2)
        made()
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}


# Clusters.


def test_clusters_are_as_stable_as_their_samples_say(clustered, preparation, base):
    found = preparation.about["clustering"]["stability"]
    assert 0 < found <= 1
    assert preparation.columns["cluster_stability"] == found
    # One cluster is the same in every sample, and random rows are not clusters.
    assert base.columns["cluster_stability"] is None
    random = clustered.with_axes({"clustering.method": "random_points"})
    assert prepare(random, seed=0, base=base).columns["cluster_stability"] is None


def test_distances_are_those_that_the_filed_whitening_gives(preparation):
    clusters = {n: value.double() for n, value in preparation.files["clusters"].items()}
    x = preparation.rows("val").x.double()
    drawn = random_rows(preparation.rows("train").x, 3, seed=0).double()
    for points, name in ((clusters["points"], "distances"), (drawn, "random_distances")):
        gap = (x[:, None] - points) @ clusters["inverse_root"].T
        found = torch.from_numpy(preparation.distances("val", to=name)).double()
        torch.testing.assert_close(found, gap.norm(dim=2), rtol=1e-4, atol=1e-4)


def test_a_preparation_says_how_many_rows_each_centroid_is_the_mean_of(clustered, preparation):
    sizes = preparation.about["clustering"]["sizes"]
    assert len(sizes) == 3
    assert min(sizes) == preparation.columns["cluster_rows_min"] >= clustered.clustering.min_rows
    undersized = preparation.about["clustering"]["undersized"]
    assert preparation.columns["clusters_undersized"] == len(undersized)
    assert max(undersized, default=0) < clustered.clustering.min_rows
    assert sum(sizes) + sum(undersized) == 384


def test_a_preparation_counts_the_rare_values_that_it_treated(preparation):
    rare = preparation.about["rare"]
    assert preparation.columns["rare_columns"] == len(rare["dropped"]) > 0
    assert preparation.columns["rare_levels"] >= len(rare["pooled"]) > 0


def test_class_shares_are_told_beside_every_network(base):
    label = base.rows("train").y.numpy()
    share = np.bincount(label, minlength=8) / len(label)
    test = base.rows("test").y.numpy()
    expected = cross_entropy(np.tile(share, (len(test), 1)), test)
    assert base.columns["prior_cross_entropy"] == expected
    assert base.columns["prior_accuracy"] == (test == share.argmax()).mean()


def test_every_training_row_is_a_member_of_its_nearest_centroid(preparation):
    clusters = preparation.files["clusters"]
    nearest = preparation.distances("train").argmin(axis=1)
    assert clusters["members"].tolist() == np.bincount(nearest, minlength=3).tolist()
    assert int(clusters["members"].sum()) == 384


def test_the_picture_has_three_views_of_unit_variance_on_rows_of_their_own(preparation):
    clusters, train = preparation.files["clusters"], preparation.rows("train").x
    axes = Whitening.fit(train, axes=9)(train)
    pictured = []
    for view in range(3):
        prefix = f"view_{view + 1}." if view else ""
        sample = clusters[f"{prefix}sample_projection"]
        ours = axes[:, 3 * view : 3 * view + 3]
        rows = (sample[:, None] - ours[None]).abs().sum(dim=2).argmin(dim=1)
        torch.testing.assert_close(sample, ours[rows])
        assert len(clusters[f"{prefix}sample_class"]) == len(sample)
        assert clusters[f"{prefix}points_projection"].shape == (len(preparation.points), 3)
        pictured += rows.tolist()
    assert len(pictured) == len(set(pictured)), "no applicant is in two views"


def test_a_picture_of_few_features_has_one_view():
    x = torch.randn(40, 2, generator=stream(0, "few"))
    tensors = pictured(x, torch.zeros(40).long(), x[:2], order=torch.arange(40))
    assert set(tensors) == {"sample_projection", "sample_class", "points_projection"}
    torch.testing.assert_close(
        tensors["sample_projection"].std(dim=0, correction=0), torch.ones(2)
    )


# Baselines.


def test_the_plain_network_is_told_as_its_predictions_score(base):
    predictions = base.files["predictions"]
    told = base.baselines["plain"]["cross_entropy"]
    found = cross_entropy(predictions["plain"].double().numpy(), predictions["label"].numpy())
    assert told == pytest.approx(found)
    assert base.columns["plain_cross_entropy"] == told


def test_baselines_have_the_metrics_of_their_kind(base):
    kinds = {
        "plain": {"cross_entropy", "accuracy", "kappa", "kappa_expected", "macro_f1", "ece"},
        "boosted": {"kappa", "accuracy", "macro_f1", "rmse"},
        "prior": {"cross_entropy", "accuracy"},
    }
    kinds["boosted_classes"] = kinds["plain"]
    for name in ("train", "offsets", "offsets_out_of_fold", "offsets_in_sample"):
        kinds[f"boosted_{name}"] = kinds["boosted"]
    kinds["boosted_offsets"] = kinds["boosted"] | {"kappa_minus_plain_se"}
    assert {name: set(metrics) for name, metrics in base.baselines.items()} == kinds


def test_the_prior_is_the_entropy_of_class_shares_met_by_the_test_rows(base):
    train, test = (np.bincount(base.rows(s).y.numpy(), minlength=8) for s in ("train", "test"))
    expected = -(test / test.sum()) @ np.log(train / train.sum())
    assert base.baselines["prior"]["cross_entropy"] == pytest.approx(expected)


def test_a_plain_network_that_was_exchanged_is_doubted(study, base):
    assert XNN.trainer.mismatch(study, base) is None
    files = {**base.files, "theta_star": base.theta_0}
    other = XNN.trainer.assemble(seed=0, about=base.about, files=files, inputs=base.inputs)
    assert "theta_star that does not reproduce the metrics" in XNN.trainer.mismatch(study, other)


def test_a_preparation_is_told_in_one_line(base):
    description = XNN.wording.describe_preparation(base.about)
    assert description.startswith("plain network has test cross-entropy ")
