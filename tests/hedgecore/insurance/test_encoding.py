from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hedgecore.insurance.data import encoding as encodings
from hedgecore.insurance.data.encoding import PUBLISHED_NAMES, SENTINEL, fit_published
from hedgecore.insurance.data.schema import COLUMNS, FEATURES
from hedgecore.insurance.data.synthetic import generate

TRAIN = np.arange(0, 1200)
HELD_OUT = np.arange(1200, 1500)

fit_sound = partial(encodings.fit_sound, rare=0.005)


@pytest.fixture(scope="module")
def table():
    return generate(1500, seed=0)


@pytest.fixture(scope="module")
def published(table):
    return fit_published(table, TRAIN)


@pytest.fixture(scope="module")
def sound(table):
    return fit_sound(table, TRAIN)


def with_rows(table, rows, **values):
    """A copy of ``table`` in which ``rows`` of the named columns hold other values."""
    columns = {name: column.copy() for name, column in table.columns.items()}
    for name, value in values.items():
        columns[name][rows] = value
    return replace(table, columns=columns)


def changed_out_of_training(table):
    columns = {name: column.copy() for name, column in table.columns.items()}
    for name in FEATURES:
        columns[name][HELD_OUT] = columns[name][HELD_OUT][::-1]
    return with_rows(replace(table, columns=columns), HELD_OUT, Ht=0.9, InsuredInfo_3=11)


@pytest.mark.parametrize("fit", [fit_published, fit_sound])
def test_inputs_are_finite_float32_one_row_for_each_and_one_column_for_each_name(fit, table):
    encoding = fit(table, TRAIN)
    inputs = encoding.encode(table)
    assert inputs.dtype == np.float32
    assert inputs.shape == (table.rows, len(encoding.names))
    assert np.isfinite(inputs).all()
    assert len(set(encoding.names)) == len(encoding.names)


@pytest.mark.parametrize("fit", [partial(fit_published, axes=0), fit_sound])
def test_columns_are_standardised_on_the_training_rows(fit, table):
    inputs = fit(table, TRAIN).encode(table)[TRAIN].astype(np.float64)
    spread = inputs.std(axis=0)
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(spread[spread > 0], 1, rtol=1e-5)


@pytest.mark.parametrize("fit", [fit_published, fit_sound])
def test_a_row_is_encoded_alike_whatever_stands_beside_it(fit, table):
    encoding = fit(table, TRAIN)
    few = replace(table, columns={n: c[:7] for n, c in table.columns.items()})
    np.testing.assert_allclose(encoding.encode(few), encoding.encode(table)[:7], atol=1e-5)


@pytest.mark.parametrize("axes", [-1, 131])
def test_no_more_axes_than_columns_can_be_kept(axes, table):
    with pytest.raises(ValueError, match=rf"axes must lie in \[0, 130\], got {axes}"):
        fit_published(table, TRAIN, axes=axes)


def test_the_published_columns_are_the_notebooks_130(table, published):
    features = dict(zip(PUBLISHED_NAMES, published.features(table).T, strict=True))
    assert len(features) == 130
    c = table.columns
    np.testing.assert_array_equal(features["BMI_Age"], c["BMI"] * c["Ins_Age"])
    assert features["Med_Keywords_Count"].sum() == sum(
        c[f"Medical_Keyword_{k}"].sum() for k in range(1, 49)
    )
    missing = np.isnan(c["Family_Hist_5"])
    assert np.array_equal(features["Family_Hist_5"] == SENTINEL, missing)
    np.testing.assert_array_equal(
        features["Family_Hist_5"][~missing], c["Family_Hist_5"][~missing]
    )


def test_codes_count_up_in_order_of_first_appearance(table):
    text = np.array(["D3", "A1", "D3", "E1", "A8"] * 300)
    c = {**table.columns, "Product_Info_2": text}
    encoding = fit_published(replace(table, columns=c), TRAIN)
    rows = encoding.features(replace(table, columns=c))[:5]
    at = [PUBLISHED_NAMES.index(f"Product_Info_2{part}") for part in ("", "_char", "_num")]
    assert rows[:, at].T.tolist() == [[0, 1, 0, 2, 3], [0, 1, 0, 2, 1], [0, 1, 0, 1, 2]]


def test_published_codes_leak_from_held_out_rows_as_the_label_says(table):
    other = with_rows(table, slice(None), Product_Info_2="D3")
    late = with_rows(other, HELD_OUT, Product_Info_2="B1")
    assert fit_published(other, TRAIN).codes["Product_Info_2"].tolist() == ["D3"]
    assert fit_published(late, TRAIN).codes["Product_Info_2"].tolist() == ["D3", "B1"]


def test_published_refuses_a_level_it_was_not_fitted_with(table):
    encoding = fit_published(with_rows(table, slice(None), Product_Info_2="D3"), TRAIN)
    strange = with_rows(table, slice(None), Product_Info_2="B1")
    with pytest.raises(ValueError, match=r"Product_Info_2 is 'B1', a level .* not fitted with"):
        encoding.encode(strange)


def test_published_components_are_those_of_scikit_learn(table, published):
    values = published.features(table)
    scaler = StandardScaler().fit(values[TRAIN])
    pca = PCA(10, svd_solver="full").fit(scaler.transform(values[TRAIN]))
    expected = pca.transform(scaler.transform(values))
    np.testing.assert_allclose(published.encode(table), expected, atol=1e-4)
    np.testing.assert_allclose(
        published.scaling.explained, pca.explained_variance_ratio_, rtol=1e-9
    )


def test_published_components_are_uncorrelated_on_the_training_rows(table, published):
    covariance = np.cov(published.encode(table)[TRAIN].astype(np.float64).T)
    off = covariance - np.diag(np.diag(covariance))
    assert np.abs(off).max() < 1e-4
    assert (np.diff(np.diag(covariance)) < 0).all()


def test_nothing_in_the_sound_encoding_depends_on_held_out_rows(table, sound):
    again = fit_sound(changed_out_of_training(table), TRAIN)
    assert again.columns == sound.columns
    assert again.medians == sound.medians
    assert np.array_equal(again.scaling.mean, sound.scaling.mean)
    assert np.array_equal(again.scaling.sd, sound.scaling.sd)
    assert all(np.array_equal(again.levels[n], sound.levels[n]) for n in sound.levels)
    assert np.array_equal(again.encode(table), sound.encode(table))


def test_a_changed_training_row_changes_the_sound_encoding(table, sound):
    again = fit_sound(with_rows(table, TRAIN[:50], Ht=0.9), TRAIN)
    assert not np.array_equal(again.scaling.mean, sound.scaling.mean)


def test_a_missing_value_is_the_training_median_and_a_flag(table, sound):
    raw = sound.encode(table) * sound.scaling.sd + sound.scaling.mean
    values = dict(zip(sound.names, raw.T, strict=True))
    missing = np.isnan(table.columns["Family_Hist_2"])
    median = np.nanmedian(table.columns["Family_Hist_2"][TRAIN])
    np.testing.assert_allclose(values["Family_Hist_2"][missing], median, atol=1e-5)
    np.testing.assert_allclose(values["Family_Hist_2 missing"], missing, atol=1e-5)


def test_levels_of_a_nominal_column_exclude_one_another_and_miss_nobody(table, sound):
    raw = sound.encode(table) * sound.scaling.sd + sound.scaling.mean
    for name in ("Product_Info_2", "InsuredInfo_3", "Medical_History_2"):
        of = [k for k, column in enumerate(sound.names) if column.startswith(f"{name} =")]
        np.testing.assert_allclose(raw[:, of].sum(axis=1), 1, atol=1e-4)


def test_a_level_never_seen_in_training_is_other(table, sound):
    rare = with_rows(table, HELD_OUT, Product_Info_2="B1", Medical_History_2=647)
    raw = sound.encode(rare) * sound.scaling.sd + sound.scaling.mean
    values = dict(zip(sound.names, raw.T, strict=True))
    np.testing.assert_allclose(values["Medical_History_2 = other"][HELD_OUT], 1, atol=1e-4)


def test_sound_has_no_sentinel_and_no_code_scaled_as_a_number(sound):
    nominal = {name for name in FEATURES if COLUMNS[name].kind == "nominal"}
    assert not nominal & set(sound.names)
    assert min(sound.medians.values()) >= 0


def test_a_column_without_any_training_value_is_refused(table):
    empty = with_rows(table, TRAIN, Medical_History_10=np.nan)
    with pytest.raises(ValueError, match="Medical_History_10 has no value in 1200 training rows"):
        fit_sound(empty, TRAIN)
