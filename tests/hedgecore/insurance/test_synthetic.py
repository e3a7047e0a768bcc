"""The synthetic table against what was measured on the public one."""

import numpy as np
import pytest
import torch
import xgboost
from sklearn.metrics import cohen_kappa_score
from torch.nn.utils import skip_init

from hedgecore.insurance.data.encoding import fit_published
from hedgecore.insurance.data.schema import COLUMNS, FEATURES, KEYWORDS, ROWS
from hedgecore.insurance.data.synthetic import generate
from hedgecore.insurance.data.table import published_split
from hedgecore.rng import stream

NUMERIC = [name for name in FEATURES if name != "Product_Info_2"]

# Mean Response by decile of BMI, by count of keywords (the last is 6 and more), by quartile.
BY_BMI = [6.65, 6.50, 6.32, 6.17, 5.95, 5.81, 5.58, 5.28, 4.60, 3.48]
BY_KEYWORDS = [6.41, 5.68, 5.08, 4.64, 4.23, 3.90, 3.45]
BY_AGE = [6.22, 5.90, 5.48, 4.88]
BY_AMOUNT = [4.81, 5.61, 6.09, 6.35]


@pytest.fixture(scope="module")
def table():
    return generate(8000, seed=0)


def shared(values, parts):
    """Which of ``parts`` equal parts each value is in, by rank."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") * parts // len(values)


def keyword_count(table):
    return np.sum([table.columns[name] for name in KEYWORDS], axis=0).astype(int)


def means(response, group):
    return np.bincount(group, response) / np.bincount(group)


def groups(table):
    return {
        "bmi": (shared(table.columns["BMI"], 10), BY_BMI),
        "keywords": (keyword_count(table).clip(max=6), BY_KEYWORDS),
        "age": (shared(table.columns["Ins_Age"], 4), BY_AGE),
        "amount": (shared(table.columns["Product_Info_4"], 4), BY_AMOUNT),
    }


def far(response, group, measured):
    """Distance of the means from the measured ones, in their own tolerance: a bias and noise."""
    tolerance = 0.25 + 3 * 2.46 / np.bincount(group) ** 0.5
    return np.abs(means(response, group) - measured) / tolerance


@pytest.mark.parametrize("name", ["bmi", "keywords", "age", "amount"])
def test_mean_response_follows_the_measured_curve_of(name, table):
    assert far(table.response, *groups(table)[name]).max() < 1


@pytest.mark.parametrize("name", ["bmi", "keywords", "age", "amount"])
def test_a_displaced_response_leaves_the_measured_curve_of(name, table):
    assert far(np.roll(table.response, 1), *groups(table)[name]).max() > 1


def test_hardly_anyone_in_the_heaviest_tenth_has_the_best_class(table):
    best = means((table.response == 8).astype(float), shared(table.columns["BMI"], 10))
    assert best[0] > 0.5
    assert best[-1] < 0.02


def test_recent_medical_history_15_weighs_heavily(table):
    months = table.columns["Medical_History_15"]
    recent = months <= np.nanquantile(months, 0.25)
    assert table.response[np.isnan(months)].mean() == pytest.approx(5.95, abs=0.15)
    assert table.response[recent].mean() == pytest.approx(3.19, abs=0.5)


@pytest.mark.parametrize(
    "name", [n for n in NUMERIC if abs(COLUMNS[n].correlation) >= 0.05 and not COLUMNS[n].missing]
)
def test_correlation_with_response_is_the_measured_one_of(name, table):
    found = np.corrcoef(table.columns[name], table.response)[0, 1]
    assert found == pytest.approx(COLUMNS[name].correlation, abs=0.07)


def test_classes_are_as_frequent_as_measured(table):
    measured = np.array(list(COLUMNS["Response"].levels.values())) / ROWS
    shares = np.bincount(table.response, minlength=9)[1:] / table.rows
    np.testing.assert_allclose(shares, measured, atol=0.02)


@pytest.mark.parametrize("name", NUMERIC)
def test_values_are_legal_and_only_missing_where_the_schema_has_missing_ones(name, table):
    values, column = table.columns[name], COLUMNS[name]
    missing = np.isnan(values)
    assert (column.allows(values) | missing).all()
    share = column.missing / ROWS
    error = 4 * (share * (1 - share) / table.rows) ** 0.5
    assert missing.mean() == pytest.approx(share, abs=error + 1e-3 * (share > 0))


@pytest.mark.parametrize("name", [n for n in FEATURES if COLUMNS[n].kind in ("nominal", "dummy")])
def test_levels_are_as_frequent_as_measured_in(name, table):
    column = COLUMNS[name]
    for level, count in column.levels.items():
        code = level if column.text else float(level)
        found = (table.columns[name] == code).mean()
        assert found == pytest.approx(count / ROWS, abs=0.025)


@pytest.mark.parametrize("name", [n for n in NUMERIC if COLUMNS[n].quantiles])
def test_the_median_is_the_measured_one_of(name, table):
    values = table.columns[name]
    low, high = np.nanquantile(values, [0.35, 0.65])
    assert low <= COLUMNS[name].quantiles[3] <= high


@pytest.mark.parametrize(
    ("pair", "one"),
    [(("Family_Hist_2", "Family_Hist_3"), 0.941), (("Family_Hist_4", "Family_Hist_5"), 0.973)],
)
def test_a_parent_has_one_age_or_none(pair, one, table):
    there = [~np.isnan(table.columns[name]) for name in pair]
    assert not (there[0] & there[1]).any()
    assert (there[0] | there[1]).mean() == pytest.approx(one, abs=0.01)


def test_a_block_of_insurance_history_switches_as_one(table):
    on = table.columns["Insurance_History_4"] == 3
    assert np.array_equal(on, np.isnan(table.columns["Insurance_History_5"]))
    for name, level in (("3", 1), ("7", 3), ("8", 2), ("9", 3)):
        assert np.array_equal(on, table.columns[f"Insurance_History_{name}"] == level)


def test_medical_records_and_employment_repeat_themselves(table):
    c = table.columns
    assert np.array_equal(c["Medical_History_25"] == 1, c["Medical_History_26"] == 3)
    assert np.array_equal(c["Employment_Info_3"] == 3, c["Employment_Info_2"] == 1)


def test_bmi_is_a_function_of_height_and_weight_but_for_one_hundredth(table):
    height, weight, bmi = (table.columns[name] for name in ("Ht", "Wt", "BMI"))
    residual = bmi - (-0.519 + (1.785 + 6.224 * weight) / (1.2 + height) ** 2)
    inside = (bmi > 0) & (bmi < 1)
    assert residual[inside].std() == pytest.approx(0.010, rel=0.05)


@pytest.mark.parametrize(("pair", "r"), [(("BMI", "Wt"), 0.854), (("Ht", "Wt"), 0.610)])
def test_build_is_correlated_as_measured(pair, r, table):
    found = np.corrcoef(*(table.columns[name] for name in pair))[0, 1]
    assert found == pytest.approx(r, abs=0.03)


@pytest.mark.parametrize(("name", "steps"), [("Ins_Age", 67), ("Ht", 55), ("Wt", 478)])
def test_scaled_whole_numbers_stay_on_their_grid(name, steps, table):
    scaled = table.columns[name] * steps
    np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-9)


def test_keywords_come_together_more_often_than_by_chance(table):
    measured = np.array([23519, 16096, 9464, 5235, 2726, 1311]) / ROWS
    found = np.bincount(keyword_count(table))[:6] / table.rows
    np.testing.assert_allclose(found, measured, atol=0.025)


def test_ten_principal_components_hold_a_quarter_of_the_variance(table):
    scaling = fit_published(table, np.arange(table.rows)).scaling
    assert scaling.explained[0] == pytest.approx(0.0615, abs=0.02)
    assert scaling.explained.sum() == pytest.approx(0.2541, abs=0.04)


def test_fewer_rows_are_the_first_of_more(table):
    few = generate(37, seed=0)
    assert np.array_equal(few.response, table.response[:37])
    for name in FEATURES:
        np.testing.assert_array_equal(few.columns[name], table.columns[name][:37])


def test_a_table_is_a_function_of_its_seed():
    one, same, other = (generate(50, seed=seed) for seed in (1, 1, 2))
    assert one.sha256 == same.sha256 != other.sha256
    assert one.source == "synthetic"


def test_a_table_without_rows_is_refused():
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        generate(0, seed=0)


@pytest.fixture(scope="module")
def full():
    table = generate(ROWS, seed=0)
    split = published_split(table)
    return table, split, fit_published(table, split.train)


BOOSTING = {"subsample": 0.85, "colsample_bytree": 0.3, "nthread": 1}
REGRESSION = BOOSTING | {"eta": 0.05, "min_child_weight": 360, "max_depth": 7}
SOFTPROB = BOOSTING | {"objective": "multi:softprob", "num_class": 8, "eta": 0.1, "max_depth": 6}


def boosted(settings, features, labels, rounds):
    matrix = xgboost.DMatrix(features, labels, missing=-1000.0)
    return xgboost.train(settings, matrix, rounds)


def predicted(model, features):
    return model.predict(xgboost.DMatrix(features, missing=-1000.0))


def kappa(model, features, response):
    classes = np.clip(np.rint(predicted(model, features)), 1, 8).astype(int)
    return cohen_kappa_score(classes, response, weights="quadratic")


@pytest.mark.slow
def test_boosting_scores_on_its_own_rows_as_on_the_public_table(full):
    table, _, encoding = full
    features = encoding.features(table)
    model = boosted(REGRESSION, features, table.response, 720)
    assert 0.64 <= kappa(model, features, table.response) <= 0.66


@pytest.mark.slow
def test_boosting_scores_on_held_out_rows_as_on_the_public_table(full):
    table, split, encoding = full
    features = encoding.features(table)
    model = boosted(REGRESSION, features[split.train], table.response[split.train], 720)
    held_out = kappa(model, features[split.validation], table.response[split.validation])
    assert held_out == pytest.approx(0.597, abs=0.015)


@pytest.mark.slow
def test_softprob_knows_classes_as_on_the_public_table(full):
    table, split, encoding = full
    features, labels = encoding.features(table), table.labels
    settings = SOFTPROB | {"min_child_weight": 20}
    model = boosted(settings, features[split.train], labels[split.train], 120)
    chances = predicted(model, features[split.validation])
    truth = labels[split.validation]
    assert -np.log(chances[np.arange(len(truth)), truth]).mean() == pytest.approx(1.161, abs=0.02)
    assert (chances.argmax(axis=1) == truth).mean() == pytest.approx(0.59, abs=0.01)


@pytest.mark.slow
def test_a_network_on_ten_components_sees_as_little_as_on_the_public_table(full):
    table, split, encoding = full
    generator = stream(0, "network")
    inputs, labels = torch.from_numpy(encoding.encode(table)), torch.from_numpy(table.labels)
    layers = [skip_init(torch.nn.Linear, *widths) for widths in ((10, 64), (64, 32), (32, 8))]
    for layer in layers:
        bound = layer.in_features**-0.5
        torch.nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        torch.nn.init.zeros_(layer.bias)
    network = torch.nn.Sequential(
        layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2]
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss = torch.nn.functional.cross_entropy
    held_out = []
    for _ in range(15):
        order = torch.randperm(len(split.train), generator=generator)
        for batch in torch.from_numpy(split.train)[order].split(40):
            optimiser.zero_grad()
            loss(network(inputs[batch]), labels[batch]).backward()
            optimiser.step()
        with torch.no_grad():
            held_out.append(
                float(loss(network(inputs[split.validation]), labels[split.validation]))
            )
    assert min(held_out) == pytest.approx(1.495, abs=0.03)
