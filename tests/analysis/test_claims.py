"""Claims page: verdicts on planted sweeps, and their error rates at the border of every claim."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy
from quick import quick_of

from analysis import claims, one_sided_e_values, paired_size
from analysis.claims import CLAIMS, claim_named, sentences, sequential_sentence
from analysis.claims.evidence import DECISIVE, Evidence, Part, fieller

DENSE = -3.0


def sweep(losses, *, sparsity=0.9, **options):
    """One ticket per seed whose CVaR is that of the dense network less its loss."""
    return [
        {"sparsity": sparsity, "seed": seed, "cvar_05": DENSE - loss} | options
        for seed, loss in enumerate(losses)
    ]


def row_of(page, name):
    (row,) = page[page["claim"].eq(name)].to_dict("records")
    return row


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ([0.0, 0.01, -0.01, 0.005, 0.0], "supported"),
        ([1.0, 1.01, 0.99, 1.0, 1.02], "contradicted"),
        ([0.1, 0.2, 0.05, 0.3, 0.1], "undecided"),
        ([0.0, 0.01], "undecided"),
        ([0.0], "undecided"),
        ([0.01] * 5, "undecided"),
    ],
)
def test_the_loss_of_a_sparse_ticket_is_judged_against_the_tolerance(table, losses, verdict):
    row = row_of(claims(table(*sweep(losses))), "sparsity")
    assert row["verdict"] == verdict
    assert row["effect"] == pytest.approx(-np.mean(losses))
    assert row["seeds"] == len(losses)


def test_a_sweep_of_small_sparsities_does_not_ask_the_claim(table):
    page = claims(table(*sweep([0.0] * 5, sparsity=0.5)))
    assert row_of(page, "sparsity")["verdict"] == "not asked"


@pytest.mark.parametrize("status", ["stopped", "failed", "running", "interrupted"])
def test_one_seed_without_a_result_leaves_the_claim_undecided(table, status):
    lost = {"sparsity": 0.9, "seed": 9, "status": status}
    row = row_of(claims(table(*sweep([0.0, 0.01, -0.01, 0.005, 0.0]), lost)), "sparsity")
    assert row["verdict"] == "undecided"
    assert math.isnan(row["p"])


def attacked(n, *, gain, gap=1.0, noise=0.01, seed=0):
    """Standard and robust tickets under an attack that takes ``gap`` from the standard ones."""
    rng = np.random.default_rng(seed)
    column = "attacked_cvar_05@path_pgd:0.1"
    rows = []
    for s in range(n):
        for epsilon, hit in ((0.0, DENSE - gap), (0.1, DENSE - gap + gain)):
            value = hit + noise * rng.normal()
            axes = {"sparsity": 0.9, "epsilon": epsilon, "seed": s}
            rows.append(axes | {"cvar_05@attacked_paths": DENSE, column: value})
    return rows


@pytest.mark.parametrize(
    ("gain", "verdict"), [(0.9, "supported"), (0.5, "undecided"), (0.1, "contradicted")]
)
def test_robust_training_has_to_close_half_of_the_gap(table, gain, verdict):
    row = row_of(claims(table(*attacked(6, gain=gain))), "robustness")
    assert row["verdict"] == verdict
    assert row["effect"] == pytest.approx(gain, abs=0.05)
    assert row["low"] < gain < row["high"]


def test_the_gap_is_never_between_two_samples_of_paths(table):
    trials = table(*attacked(6, gain=0.9)).drop(columns="cvar_05@attacked_paths")
    row = row_of(claims(trials), "robustness")
    assert (row["verdict"], row["p"]) == ("undecided", pytest.approx(math.nan, nan_ok=True))
    assert "attacked paths" in row["reason"]
    trials["cvar_05"] = 0.0  # on all paths; the attacked ones are harder
    trials["cvar_05@attacked_paths"] = DENSE
    assert row_of(claims(trials), "robustness")["effect"] == pytest.approx(0.9, abs=0.05)


def test_a_gap_that_is_not_shown_has_no_interval_of_its_share(table):
    row = row_of(claims(table(*attacked(6, gain=0.0, gap=0.0))), "robustness")
    assert row["verdict"] == "undecided"
    assert math.isnan(row["low"])


def test_no_claim_is_judged_against_a_dense_network_worse_than_a_formula(table):
    frame = table(*sweep([0.0, 0.01, -0.01, 0.005, 0.0]))
    baselines = {"minimum_variance": {"cvar_05": DENSE + 1.0, "cvar_05_se": 0.01}}
    prepared = {
        f"seed-{seed}": {"seed": seed, "data_sha256": data, "baselines": baselines}
        for seed, data in enumerate(frame["data_sha256"])
    }
    noise = {"dense_cvar_05": DENSE + 0.01 * frame["config/seed"].astype(float)}
    page = claims(frame.assign(**noise), {"preparations": prepared})
    row = row_of(page, "sparsity")
    assert (row["verdict"], math.isnan(row["p"])) == ("undecided", True)
    assert "minimum-variance" in row["reason"]


def test_every_problem_is_judged_and_all_are_one_family(table):
    frame = table(*sweep([0.0, 0.01, -0.01, 0.005, 0.0]))
    parts = [frame.assign(**{"config/market.xi": x}) for x in (1, 2)]
    page = claims(pd.concat(parts, ignore_index=True))
    rows = page[page["claim"].eq("sparsity")]
    assert rows["problem"].tolist() == ["market.xi 1", "market.xi 2"]
    assert rows["p_holm"].to_numpy() == pytest.approx(2 * rows["p"].to_numpy())


def test_the_page_lists_all_claims_and_prints_those_of_the_experiment(table):
    page = claims(table(*sweep([0.0, 0.01, -0.01])))
    assert set(page["claim"]) == set(CLAIMS)
    text = "\n".join(sentences(page))
    for claim in CLAIMS.values():
        printed = claim.statement.format(tolerance="5 %") in text
        assert printed == (claim.experiment == "tickets"), claim.name


def test_an_unknown_claim_is_answered_with_the_nearest():
    assert claim_named("boosting").experiment == "tickets"
    with pytest.raises(ValueError, match=r"unknown claim 'bosting'; did you mean 'boosting'\?"):
        claim_named("bosting")


def test_fiellers_interval_is_where_the_t_test_does_not_reject():
    rng = np.random.default_rng(3)
    x = rng.normal(2.0, 0.3, 8)
    y = 0.6 * x + rng.normal(0.0, 0.2, 8)
    ends = fieller(y, x)
    for ratio in (ends.low, ends.high):
        assert scipy.stats.ttest_1samp(y - ratio * x, 0.0).pvalue == pytest.approx(0.05)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_fiellers_interval_covers_as_often_as_it_says(n):
    rng = np.random.default_rng(n)
    hits = []
    for _ in range(3000):
        x = rng.normal(5.0, 0.3, n)
        ends = fieller(0.6 * x + rng.normal(0.0, 0.2, n), x)
        hits.append(ends.low <= 0.6 <= ends.high)
    assert 0.93 < np.mean(hits) < 0.97


NOISE = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n) - math.exp(0.5),
    "reflected": lambda rng, n: math.exp(0.5) - rng.lognormal(size=n),
    "student": lambda rng, n: rng.standard_t(3, size=n),
    "uniform": lambda rng, n: rng.uniform(-1.0, 1.0, size=n),
}


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n", quick_of([3, 5, 10], every=3))
def test_a_skewed_part_on_its_border_is_claimed_at_most_as_often_as_the_level(noise, n):
    rng = np.random.default_rng(n)
    repeats = 1500
    supported = contradicted = 0
    for _ in range(repeats):
        part = Part(name="x", values=pd.Series(NOISE[noise](rng, n)), symmetric=False)
        p = Evidence(effect=part.values, parts=(part,)).p
        supported += 2 * p[0] <= 0.05
        contradicted += 2 * p[1] <= 0.05
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert supported / repeats < allowed
    assert contradicted / repeats < allowed


def test_several_parts_are_all_needed_and_the_worst_decides():
    rng = np.random.default_rng(1)
    good = Part(name="good", values=pd.Series(rng.normal(9.0, 1.0, 8)))
    null = Part(name="null", values=pd.Series(rng.normal(0.0, 1.0, 8)))
    both = Evidence(effect=good.values, parts=(good, null))
    assert both.p[0] == null.p()
    assert both.p[1] == pytest.approx(min(1.0, 2 * min(null.p(-1.0), good.p(-1.0))))
    assert both.e_values[0] == min(good.e_value(), null.e_value())


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_border_read_after_every_seed_is_decided_at_most_as_often_as_the_level(noise, symmetric):
    rng = np.random.default_rng(7)
    repeats, wrong = 300, 0
    for _ in range(repeats):
        draws = [NOISE[noise](rng, 40), NOISE[noise](rng, 40)]
        values = draws[0] - draws[1] if symmetric else draws[0]
        up, down = (one_sided_e_values(v, symmetric=symmetric) for v in (values, -values))
        wrong += max(up.max(), down.max()) >= DECISIVE
    assert wrong / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_an_error_that_all_seeds_share_is_part_of_every_decision(n):
    rng = np.random.default_rng(n)
    repeats, error, wrong, peeked = 400, 0.5, 0, 0
    for _ in range(repeats):
        values = pd.Series(error * rng.normal() + rng.normal(size=40))
        part = Part(name="x", values=values[:n], error=error)
        both = Evidence(effect=part.values, parts=(part,), error=error)
        wrong += 2 * min(both.p) <= 0.05
        peeked += max(both.e_values) >= DECISIVE
        whole = Part(name="x", values=values, error=error)
        peeked += max(whole.e_value(), whole.e_value(-1.0)) >= DECISIVE
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert wrong / repeats < allowed
    assert peeked / repeats < allowed


@pytest.mark.parametrize("k", [1, 4])
def test_the_best_of_several_configurations_is_claimed_at_most_as_often_as_the_level(k):
    rng = np.random.default_rng(k)
    repeats, wrong, e_wrong = 600, 0, 0
    for _ in range(repeats):
        values = rng.normal(size=(k, 6))
        best = pd.Series(values[values.mean(axis=1).argmax()])
        one = Evidence(effect=best, parts=(Part(name="x", values=best),), selections=k)
        wrong += 2 * min(one.p) <= 0.05
        e_wrong += max(one.e_values) >= DECISIVE
    assert wrong / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert e_wrong / repeats < 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)


def test_rates_that_validation_chose_from_multiply_p(table):
    losses = [0.0, 0.01, -0.01, 0.005, 0.0]
    one = row_of(claims(table(*sweep(losses))), "sparsity")
    rival = sweep([0.3] * 5, lr=2e-3, val_loss=4.0)
    two = row_of(claims(table(*sweep(losses), *rival)), "sparsity")
    assert two["effect"] == one["effect"]
    assert two["p"] == pytest.approx(2 * one["p"])


def test_seeds_added_until_a_claim_is_decided_leave_its_e_value_alone(table):
    frame = table(*sweep(0.01 * np.random.default_rng(1).normal(size=12)))
    fixed = row_of(claims(frame), "sparsity")
    assert fixed["verdict"] == "supported"
    for claim in ("sparsity", "robustness"):
        page = claims(frame, {"until_decided": claim})
        row = row_of(page, "sparsity")
        own = claim == "sparsity" and row["e_supported"] >= DECISIVE
        assert row["verdict"] == ("supported" if own else "undecided")
        assert page["p"].isna().all()
        assert claim in " ".join(sequential_sentence({"until_decided": claim}))
    assert row_of(claims(frame, {"until_decided": "sparsity"}), "sparsity")["e_supported"] > 40
    assert sequential_sentence({}) == []


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_claim_whose_trials_all_ended_is_undecided_and_not_unasked(table, status):
    axes = [{"sparsity": 0.9, "epsilon": e, "seed": s} for e in (0.0, 0.1) for s in range(3)]
    page = claims(table(*({**one, "status": status} for one in axes)))
    for name in ("robustness", "features", "patterns", "sparsity"):
        row = row_of(page, name)
        assert (row["verdict"], row["seeds"]) == ("undecided", 0), name
        assert row["reason"]
    assert "nan" not in "\n".join(sentences(page))


@pytest.mark.parametrize("n", quick_of([3, 5, 10], every=3))
@pytest.mark.parametrize("tail", ["lognormal", "reflected"])
def test_a_share_at_its_limit_is_claimed_by_the_level_where_training_shrinks_the_noise(n, tail):
    rng = np.random.default_rng(n)
    repeats, wrong, peeked = 400, 0, 0
    for _ in range(repeats):
        standard = -1.0 + 0.3 * NOISE[tail](rng, 40)
        robust = -0.5 + 0.05 * NOISE[tail](rng, 40)
        values = pd.Series(robust - 0.5 * standard)
        part = Part(name="share", values=values[:n], symmetric=False)
        wrong += 2 * min(Evidence(effect=part.values, parts=(part,)).p) <= 0.05
        if n == 10:  # all 40 values, whatever n is
            ups = [one_sided_e_values(s * values, symmetric=False).max() for s in (1.0, -1.0)]
            peeked += max(ups) >= DECISIVE
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert wrong / repeats < allowed
    assert peeked / repeats < allowed


def test_a_shared_error_and_a_choice_together_can_still_be_decided():
    values = pd.Series(5.0 + 0.1 * np.random.default_rng(3).normal(size=40))
    part = Part(name="x", values=values, symmetric=False, error=0.05)
    one = Evidence(effect=values, parts=(part,), selections=6, error=0.05)
    assert one.e_values[0] == pytest.approx(DECISIVE)
    assert one.e_values[1] < 1.0


def test_the_e_values_of_a_part_are_those_of_its_last_seed():
    values = pd.Series([0.9, 0.1, 0.5, 0.4, -0.1])
    (up, down) = Evidence(effect=values, parts=(Part(name="x", values=values),)).e_values
    assert up == one_sided_e_values(values)[-1]
    assert down == one_sided_e_values(-values)[-1]


def test_more_seeds_have_the_power_at_the_present_effect():
    values = pd.Series([0.9, 0.1, 0.5, 0.4, -0.1])
    part = Part(name="x", values=values)
    more = part.more_seeds(level=0.05)
    effect = values.mean() / values.std()
    assert more == paired_size(effect, level=0.1) - 5
    assert Part(name="x", values=values, symmetric=False).more_seeds(level=0.05) > more
