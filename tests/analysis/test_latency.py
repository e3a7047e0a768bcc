import pandas as pd

from analysis.sweep import Sweep
from analysis.tickets.latency import latency, latency_table


def test_latency_is_the_median_over_tickets_of_a_sparsity(table):
    trials = table(*[{"sparsity": s, "seed": seed} for s in (0.0, 0.9) for seed in range(3)])
    measured = [
        {"trial_id": i, "weights": 10, "units": 2, "nanoseconds": n, "dense_nanoseconds": 400.0}
        for i, n in zip(trials["trial_id"], (390, 400, 410, 90, 100, 150), strict=True)
    ]
    rows = latency(Sweep.of(trials), [*measured, {**measured[0], "trial_id": "of another sweep"}])
    assert rows["sparsity"].tolist() == [0.0, 0.9]
    assert rows["tickets"].tolist() == [3, 3]
    assert rows["nanoseconds"].tolist() == [400, 100]
    assert rows[["low", "high"]].to_numpy().tolist() == [[390, 410], [90, 150]]
    assert rows["speedup"].tolist() == [1.0, 4.0]
    assert len(latency_table(rows).rows) == 2


def test_without_tickets_there_is_no_table(table):
    trials = table({"sparsity": 0.9})
    assert latency(Sweep.of(trials), []).empty
    assert isinstance(latency(Sweep.of(trials), []), pd.DataFrame)
