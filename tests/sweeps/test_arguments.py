"""Arguments that ``sweeps.run`` refuses before anything is created."""

import math

import numpy as np
import pytest

import sweeps
from sweeps import Budget, UsageError
from sweeps.arguments import check_types

WRONG = {
    "storage": [3, None, b"out", "", 2.5],
    "max_concurrent": ["2", True, 0, 2.5, -1, math.nan],
    "address": [3, "", " ", b"auto"],
    "insecure": ["yes", 1, None],
    "audit": ["x", math.nan, -0.1, 1.5, True, None],
    "budget": [5, "2 h", {"hours": 2}],
    "hang_after": ["1", 0, -1.0, math.nan, math.inf, True],
    "exporters": [object(), [object()], None, "board"],
    "progress": [3, object(), "plain"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_an_argument_of_another_type_or_range_is_one_line_that_names_it(
    tiny, tmp_path, name, value
):
    arguments = {"storage": tmp_path / "out", name: value}
    with pytest.raises(UsageError, match=rf"^{name} must be .*; got ") as caught:
        sweeps.run(tiny, **arguments)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_number_of_numpys_is_a_number():
    check_types(
        storage="out",
        max_concurrent=np.int64(2),
        address=None,
        insecure=False,
        allow_mixed=False,
        audit=np.float64(0.5),
        budget=None,
        hang_after=np.float64(3.0),
        exporters=[],
        progress=None,
    )


@pytest.mark.parametrize("name", ["cpus", "hours", "cost", "rate"])
@pytest.mark.parametrize("value", ["2", True, 0, -1.0, math.nan, math.inf, 10**400, [1]])
def test_a_budget_of_anything_but_a_positive_number_is_refused(name, value):
    arguments = {"cpus": 2, "hours": 1.0, "rate": 1.0, name: value}
    with pytest.raises(UsageError, match=rf"^{name} of a budget must be a number above 0, got"):
        Budget(**arguments)


def test_control_a_budget_without_limits_is_none():
    assert Budget(cpus=2).seconds == math.inf
