"""Equal bits: of repeats, interruptions, threads, compilers and widths of registers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from kernel_builds import COMPILERS, compiled
from kernel_problems import ATTACKS, case

from hedgecore.hedging.descent import CompiledDescent
from hedgecore.hedging.problem import Scene
from hedgecore.kernel.shared_library import SWITCH, builds, library

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled kernel")

RATES = (1e-2, 5e-3, 2e-3, 1e-3)
CASES = {
    "dense": {"hidden": (33, 17), "paths": 150, "attack": ATTACKS["path_pgd"]},
    "sparse": {"hidden": (40, 40), "paths": 200, "sparsity": 0.9, "risk": "entropic"},
    "mixed": {"hidden": (200, 12), "sparsity": 0.6, "limit": 0.05, "y": "parameter"},
    "observed": {"risk": "mean_variance", "attack": ATTACKS["observation_pgd"]},
    "monotone": {"risk": "monotone_mean_variance", "paths": 64, "attack": ATTACKS["path_noise"]},
}


def descent(one):
    return CompiledDescent(
        one.problem, one.theta, one.mask, training=one.problem.study.training, seed=0
    )


def steps(one, begin=0, end=None):
    paths = one.paths.paths
    batches = [torch.arange(paths).roll(11 * i)[: paths - 13 * i] for i in range(len(RATES))]
    return list(zip(RATES, batches, strict=True))[begin:end]


def trained(one, *cuts):
    """Bytes of parameters, moments and losses after all steps, interrupted at ``cuts``."""
    state, losses = descent(one), []
    for begin, end in zip((0, *cuts), (*cuts, len(RATES)), strict=True):
        losses.append(state.epoch(steps(one, begin, end), one.paths, one.problem.study.attack)[0])
    tensors = [*state.theta.values(), torch.cat(losses)]
    tensors += [value for moments in state.moments.values() for value in moments.values()]
    return [tensor.numpy().tobytes() for tensor in tensors]


@pytest.fixture(params=CASES)
def one(request):
    return case(seed=3, **CASES[request.param])


def test_a_repeat_is_equal(one):
    assert trained(one) == trained(one)


def test_interruptions_change_nothing(one):
    assert trained(one) == trained(one, 1) == trained(one, 1, 2, 3)


def test_five_tickets_in_five_threads_are_equal_to_one_after_another():
    tickets = [case(seed=seed, **settings) for seed, settings in enumerate(CASES.values())]
    alone = [trained(ticket) for ticket in tickets]
    with ThreadPoolExecutor(5) as threads:
        for _ in range(3):
            assert list(threads.map(trained, tickets)) == alone


def test_a_path_has_the_same_pnl_wherever_it_lies_in_a_tile(one):
    scene = Scene(one.paths.spot, one.paths.variance)
    pnl = one.problem.outcome(one.theta, scene).pnl
    for shift in (1, 7, 63):
        rolled = Scene(scene.spot.roll(shift, dims=0), scene.variance.roll(shift, dims=0))
        assert torch.equal(one.problem.outcome(one.theta, rolled).pnl, pnl.roll(shift))
    single = Scene(scene.spot[5:6], scene.variance[5:6])
    assert torch.equal(one.problem.outcome(one.theta, single).pnl, pnl[5:6])


@pytest.fixture(scope="module")
def other_builds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds")
    return [compiled(folder, compiler, name) for compiler in COMPILERS for name in builds()]


def test_compilers_and_instruction_sets_are_equal(one, other_builds, monkeypatch):
    expected = trained(one)
    for path in other_builds:
        monkeypatch.setenv(SWITCH, path)
        assert trained(one) == expected, path


def test_the_sparse_and_the_dense_form_of_a_network_agree(monkeypatch):
    # A mask that keeps all weights, some of which are 0, against one that removes these.
    one = case(hidden=(40, 30), sparsity=0.7, paths=100)
    theta = {name: value * one.mask.get(name, 1) for name, value in one.theta.items()}
    everything = {name: torch.ones_like(mask) for name, mask in one.mask.items()}
    scene = Scene(one.paths.spot, one.paths.variance)
    sparse = one.problem.outcome(theta, scene).pnl
    dense = {name: torch.where(value == 0, 1e-30, value) for name, value in theta.items()}
    torch.testing.assert_close(one.problem.outcome(dense, scene).pnl, sparse, rtol=1e-5, atol=1e-5)
    full = replace(one, theta=theta, mask=everything)
    loss = descent(full).epoch(steps(full, 0, 1), full.paths, full.problem.study.attack)[0]
    expected = descent(one).epoch(steps(one, 0, 1), one.paths, one.problem.study.attack)[0]
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
