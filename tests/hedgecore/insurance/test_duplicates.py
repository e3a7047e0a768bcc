from dataclasses import replace

import numpy as np
import pytest

from hedgecore.insurance.data.duplicates import Duplicates
from hedgecore.insurance.data.synthetic import generate
from hedgecore.insurance.data.table import Split, split


@pytest.fixture(scope="module")
def table():
    return generate(500, seed=0)


def repeated(table, source, copies):
    """``table`` with the rows ``copies`` overwritten by the rows ``source``."""
    columns = {name: column.copy() for name, column in table.columns.items()}
    for column in columns.values():
        column[copies] = column[source]
    response = table.response.copy()
    response[copies] = response[source]
    return replace(table, columns=columns, response=response)


def test_a_generated_table_has_no_duplicates(table):
    assert Duplicates.of(table, split(table, seed=0)).facts() == {}


def test_duplicates_are_counted_by_the_parts_that_they_join(table):
    parts = Split(train=np.arange(300), validation=np.arange(300, 400), test=np.arange(400, 500))
    source, copies = [0, 1, 2, 301], [310, 450, 451, 452]
    twice = repeated(table, source, copies)
    found = Duplicates.of(twice, parts)
    assert (found.rows, found.contradicting, found.validation, found.test) == (4, 0, 1, 2)
    response = twice.response.copy()
    response[450] = response[450] % 8 + 1
    assert Duplicates.of(replace(twice, response=response), parts).contradicting == 1


def test_missing_values_are_equal_to_each_other(table):
    sparse = next(i for i in range(500) if np.isnan(table.columns["Family_Hist_2"][i]))
    other = (sparse + 1) % 500
    assert Duplicates.of(repeated(table, [sparse], [other]), split(table, seed=0)).rows == 1
