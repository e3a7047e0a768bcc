"""Results of a sweep that its tables and figures share."""

import pandas as pd

from analysis.sweep import Sweep
from analysis.sweep_cache import once_per_sweep

CALLS = []


@once_per_sweep
def counted(trials, *, level=0.05):
    CALLS.append(level)
    return pd.DataFrame({"level": [level]})


def sweep():
    return Sweep(trials=pd.DataFrame({"status": ["completed"]}))


def test_a_table_of_a_sweep_is_computed_once_for_equal_settings():
    CALLS.clear()
    one = sweep()
    for level in (0.05, 0.1, 0.05):
        assert counted(one, level=level)["level"].tolist() == [level]
    counted(one)
    counted(sweep())
    assert CALLS == [0.05, 0.1, 0.05]


def test_a_list_of_names_is_a_setting_as_a_tuple_is():
    CALLS.clear()
    one = sweep()
    assert counted(one, level=[0.05]).equals(counted(one, level=(0.05,)))
    assert CALLS == [[0.05]]


def test_a_change_of_a_table_reaches_no_other_reader():
    one = sweep()
    table = counted(one)
    table.loc[0, "level"] = 1.0
    table["extra"] = 2.0
    assert counted(one).equals(pd.DataFrame({"level": [0.05]}))


def test_a_frame_may_change_between_calls():
    CALLS.clear()
    frame = pd.DataFrame({"status": ["completed"]})
    counted(frame)
    counted(frame)
    assert len(CALLS) == 2


def test_a_setting_that_cannot_be_hashed_is_computed_anew():
    CALLS.clear()
    one = sweep()
    assert [len(counted(one, level={"a": 1})) for _ in range(2)] == [1, 1]
    assert len(CALLS) == 2
