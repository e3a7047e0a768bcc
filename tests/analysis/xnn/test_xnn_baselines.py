import faked_xnn
import pandas as pd
import pytest
from printed import numbers

from analysis import interval, load_manifest, load_trials
from analysis.xnn import baselines, cells
from analysis.xnn.baselines import against_trees, sentences


@pytest.fixture
def manifest(tmp_path):
    return load_manifest(faked_xnn.storage(tmp_path, weights=(0.3,), models=False))


def test_a_seed_with_several_clusterings_counts_once(manifest):
    assert len(manifest["preparations"]) == 9
    assert baselines(manifest)["seeds"].eq(3).all()


def test_values_are_means_over_seeds_with_students_interval(manifest):
    row = baselines(manifest).set_index("baseline").loc["boosted_offsets"]
    assert row["kappa"] == pytest.approx(0.64)
    expected = interval([0.64 + faked_xnn.luck(seed) for seed in range(3)])
    assert (row["kappa_low"], row["kappa_high"]) == pytest.approx((expected.low, expected.high))


def test_a_metric_that_was_not_measured_is_null(manifest):
    rows = baselines(manifest).set_index("baseline")
    assert pd.isna(rows.loc["boosted", "cross_entropy"])
    assert pd.isna(rows.loc["prior", "kappa"])


def test_figures_of_training_rows_say_so_and_come_last(manifest):
    rows = baselines(manifest)
    assert rows["rows"].tolist() == ["test"] * 5 + ["training"] * 3
    in_sample = rows[rows["baseline"].isin(["boosted_train", "boosted_offsets_in_sample"])]
    assert in_sample["name"].str.contains("in sample").all()


def test_where_test_rows_are_validation_rows_they_are_called_that(manifest):
    rows = baselines(manifest, held_out=False)
    assert rows["rows"].tolist() == ["validation"] * 5 + ["training"] * 3
    for line in sentences(rows, pd.Series({"cross_entropy": 1.486, "kappa": 0.418})):
        assert "validation rows" in line
        assert "test rows" not in line


def test_an_unknown_baseline_keeps_its_key(manifest):
    for one in manifest["preparations"].values():
        one["baselines"] = {"glass_box": {"kappa": 0.5}}
    assert baselines(manifest)["name"].tolist() == ["glass_box"]


def test_preparations_of_other_data_have_no_part(manifest):
    first = next(iter(manifest["preparations"].values()))
    first["data_sha256"], first["baselines"] = "other", {"prior": {"accuracy": 0.9}}
    (row,) = (row for _, row in baselines(manifest, data={"other"}).iterrows())
    assert (row["name"], row["accuracy"], row["seeds"]) == ("class shares", 0.9, 1)


@pytest.mark.parametrize("manifest", [{}, {"preparations": {"a": {"seed": 0}}}])
def test_a_manifest_without_baselines_has_no_rows(manifest):
    assert len(baselines(manifest)) == 0


def test_the_in_sample_part_of_the_published_figure_is_told(manifest):
    (line,) = sentences(baselines(manifest), None)
    assert numbers(line) == [0.64, 0.7, 0.06]
    assert "test rows" in line


def test_boosted_trees_stand_beside_the_chosen_cell(manifest):
    cell = pd.Series({"cross_entropy": 1.486, "kappa": 0.418})
    line = sentences(baselines(manifest), cell)[0]
    assert numbers(line) == [1.25, 1.486, 0.53, 0.418]


@pytest.mark.parametrize(
    ("shift", "expected"), [(-0.1, "better"), (0.1, "worse"), (0.0, "equivalent")]
)
def test_trees_are_compared_with_every_cell_by_seed(tmp_path, shift, expected):
    seeds = range(10)
    storage = faked_xnn.storage(tmp_path, weights=(0.0, 0.3), seeds=seeds, models=False)
    about, trials = load_manifest(storage), load_trials(storage)
    for one in about["preparations"].values():
        one["baselines"]["boosted_classes"]["cross_entropy"] = 1.48 + faked_xnn.luck(one["seed"])
    noise = trials["config/seed"].map(lambda seed: 0.0005 * (-1) ** seed)
    trials["cross_entropy"] = 1.48 + trials["config/seed"].map(faked_xnn.luck) + shift + noise
    table = cells(trials)
    rows = against_trees(trials, table, about)
    assert rows.index.tolist() == table[~table["reference"]].index.tolist()
    assert rows["difference"].to_numpy() == pytest.approx(len(rows) * [shift])
    assert rows["verdict"].eq(expected).all()
    # A seed without trees leaves no verdict.
    part = {k: v for k, v in about["preparations"].items() if v["seed"] != 4}
    missing = against_trees(trials, table, {"preparations": part})
    assert missing["verdict"].eq("not shown").all()
    assert missing["difference_low"].isna().all()


def test_without_boosted_trees_nothing_is_said():
    assert sentences(baselines({}), None) == []
