import math

import numpy as np
import pytest

from hedgecore.insurance.config import DataConfig
from hedgecore.insurance.data.applicants import Applicants
from hedgecore.insurance.data.encoding import fit_published, fit_sound, separated
from hedgecore.insurance.data.rarities import rarities
from hedgecore.insurance.data.schema import COLUMNS, ROWS
from hedgecore.insurance.data.synthetic import generate

TRAIN = np.arange(1600)
RARE = (0.0, 0.005, 0.02, 0.1)


@pytest.fixture(scope="module")
def planted():
    return generate(2000, seed=0, rare_levels="planted")


# The generated table.


def test_planted_levels_are_as_rare_as_published_in_a_table_of_any_size():
    plain, planted = (generate(1000, seed=0, rare_levels=r) for r in ("schema", "planted"))
    counted = 0
    for name, column in COLUMNS.items():
        if column.kind != "nominal" or not column.levels or column.text:
            continue
        level, count = min(column.levels.items(), key=lambda pair: pair[1])
        changed = planted.columns[name] != plain.columns[name]
        if count > 3:
            assert not changed.any()
            continue
        counted += 1
        assert (planted.columns[name][changed] == float(level)).all()
        assert (planted.columns[name] == float(level)).sum() >= count
    assert counted > 10


def test_a_row_has_at_most_one_planted_level():
    plain, planted = (generate(1000, seed=0, rare_levels=r) for r in ("schema", "planted"))
    nominal = [name for name, column in COLUMNS.items() if column.kind == "nominal"]
    changed = [planted.columns[name] != plain.columns[name] for name in nominal]
    assert np.sum(changed, axis=0).max() == 1


@pytest.mark.parametrize("rare_levels", ["schema", "planted", "none"])
def test_a_smaller_table_begins_a_larger_one_whatever_its_rare_levels(rare_levels):
    small, large = (generate(rows, seed=0, rare_levels=rare_levels) for rows in (150, 400))
    for name, column in small.columns.items():
        np.testing.assert_array_equal(column, large.columns[name][:150])
    np.testing.assert_array_equal(small.response, large.response[:150])


def test_a_table_without_rare_levels_has_none_below_a_thousandth_of_the_published_rows():
    table = generate(20_000, seed=0, rare_levels="none")
    for name, column in COLUMNS.items():
        if column.kind == "nominal" and column.levels and not column.text:
            for level in np.unique(table.columns[name]):
                assert column.levels[f"{level:g}"] >= 0.001 * ROWS


# Their encoding.


@pytest.mark.parametrize("rare", RARE)
def test_no_input_exceeds_the_standard_score_of_the_rarest_group_that_is_kept(planted, rare):
    x = fit_sound(planted, TRAIN, rare=rare).encode(planted)[TRAIN]
    least = max(1, math.ceil(rare * len(TRAIN)))
    assert np.abs(x).max() <= math.sqrt(len(TRAIN) / least - 1) * (1 + 1e-5)


@pytest.mark.parametrize("rare", RARE)
def test_every_input_separates_at_least_the_declared_share_of_rows(planted, rare):
    encoding = fit_sound(planted, TRAIN, rare=rare)
    values = dict(encoding.candidates({n: c[TRAIN] for n, c in planted.columns.items()}))
    kept = [separated(values[name]) for name in encoding.columns]
    assert min(kept) >= max(1, rare * len(TRAIN))


def test_the_planted_levels_are_no_inputs(planted):
    with_levels, without = (
        fit_sound(planted, TRAIN, rare=rare).encode(planted)[TRAIN] for rare in (0.0, 0.005)
    )
    assert np.abs(with_levels).max() > 39, "a dummy of one row in 1,600"
    assert np.abs(without).max() < math.sqrt(200)


def test_a_number_that_is_not_zero_in_one_row_is_no_input(planted):
    columns = dict(planted.columns)
    columns["Ht"] = np.zeros(planted.rows)
    columns["Ht"][7] = 1.0
    table = type(planted)(
        columns=columns, response=planted.response, source="own", sha256=planted.sha256
    )
    assert "Ht" in fit_sound(table, TRAIN, rare=0.0).columns
    encoding = fit_sound(table, TRAIN, rare=0.005)
    assert "Ht" not in encoding.columns
    assert rarities(encoding, table, TRAIN)["winsorised"]["Ht"] == 1


def test_what_was_pooled_dropped_and_winsorised_is_counted(planted):
    encoding = fit_sound(planted, TRAIN, rare=0.005)
    found = rarities(encoding, planted, TRAIN)
    train = planted.columns["Medical_History_2"][TRAIN]
    _, counts = np.unique(train, return_counts=True)
    few = counts < 0.005 * len(TRAIN)
    expected = {"levels": int(few.sum()), "rows": int(counts[few].sum())}
    assert found["pooled"]["Medical_History_2"] == expected
    assert all(0 < count < 0.005 * len(TRAIN) for count in found["dropped"].values())
    assert not set(found["dropped"]) & set(encoding.columns)
    low, high = encoding.bounds["BMI"]
    bmi = planted.columns["BMI"][TRAIN]
    assert found["winsorised"]["BMI"] == int((bmi < low).sum() + (bmi > high).sum())
    # At most m - 1 rows lie beyond each of the two bounds.
    assert max(found["winsorised"].values()) <= 2 * (math.ceil(0.005 * len(TRAIN)) - 1)


def test_the_published_encoding_treats_nothing(planted):
    assert rarities(fit_published(planted, TRAIN), planted, TRAIN) == {}


def test_the_share_is_a_setting_of_the_data():
    few, many = (
        Applicants.of(DataConfig(rows=1000, rare=rare), seed=0).encoding.columns
        for rare in (0.05, 0.0)
    )
    assert set(few) < set(many) | {name for name in few if name.endswith("= other")}


@pytest.mark.parametrize("rare", [-0.1, 0.5])
def test_a_share_outside_its_range_is_refused(rare):
    with pytest.raises(ValueError, match=rf"rare must lie in \[0, 0.5\), got {rare}"):
        DataConfig(rare=rare)
