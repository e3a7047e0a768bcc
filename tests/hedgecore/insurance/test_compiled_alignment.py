"""The compiled alignment against torch's in float64, and its bits."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from hedgecore.insurance.xnn.alignment import (
    Alignment,
    Multiplier,
    multiplier,
    unit_distances,
)
from hedgecore.kernel import shared_library as kernel
from hedgecore.kernel.alignment import LayerAlignment, LayerMultiplier
from hedgecore.kernel.shared_library import library as default_library
from hedgecore.rng import stream

BUILDS = list(kernel.builds())
compiled = pytest.mark.skipif(not BUILDS, reason="no compiler at installation")
SIZES = pytest.mark.parametrize(
    ("rows", "clusters", "widths"),
    [(3, 1, (3, 1)), (9, 3, (7, 5)), (116, 20, (64, 8)), (256, 6, (64, 33))],
)
STRENGTHS = {0: 1.5, 1: 0.7}


def scene(rows, clusters, widths, *, inputs=11):
    """Weights, a batch, outputs, centroid outputs, distances; a node and an input are constant."""
    generator = stream(0, "test", "compiled alignment")

    def drawn(*shape):
        return torch.randn(shape, generator=generator)

    x, points = drawn(rows, inputs), drawn(clusters, inputs)
    x[:, 2] = 0
    ws = [drawn(widths[0], inputs), drawn(widths[1], widths[0])]
    outputs, at_points = [], []
    for w in ws:
        for rows_in, found in ((x, outputs), (points, at_points)):
            found.append((found[-1].relu() if found else rows_in) @ w.T)
    outputs[0][:, -1] = 4.0
    return ws, x, outputs, at_points, drawn(rows, clusters).abs()


def by_torch(function, monkeypatch, *arguments):
    """Result of ``function`` in float64."""
    with monkeypatch.context() as patch:
        patch.setenv(kernel.SWITCH, kernel.OFF)
        return function(*arguments, torch.float64)


def alignment(outputs, distances, dtype):
    outputs, unit = [z.to(dtype) for z in outputs], unit_distances(distances, len(distances))[0]
    widths = [z.shape[1] for z in outputs]
    loss = Alignment({0: 0.4, 1: 1.3}, widths=widths, clusters=unit.shape[1], like=outputs[0])
    return loss(outputs, unit.to(dtype))


@compiled
@SIZES
@pytest.mark.parametrize("build", BUILDS)
def test_loss_and_gradient_agree_with_torch_in_float64(build, rows, clusters, widths, monkeypatch):
    monkeypatch.setenv(kernel.SWITCH, build)
    _, _, outputs, _, distances = scene(rows, clusters, widths)
    expected, gradients = by_torch(alignment, monkeypatch, outputs, distances)
    loss, found = alignment(outputs, distances, torch.float32)
    assert loss == pytest.approx(float(expected), rel=1e-5)
    for gradient, reference in zip(found, gradients, strict=True):
        largest = float(reference.abs().max())
        torch.testing.assert_close(gradient.double(), reference, rtol=1e-4, atol=1e-5 * largest)


@compiled
@SIZES
@pytest.mark.parametrize("build", BUILDS)
def test_factors_agree_with_torch_in_float64(build, rows, clusters, widths, monkeypatch):
    monkeypatch.setenv(kernel.SWITCH, build)
    ws, x, outputs, at_points, quantiles = scene(rows, clusters, widths)
    arguments = (ws, x, outputs, at_points, quantiles)
    double = [[t.double() for t in a] if isinstance(a, list) else a.double() for a in arguments]
    expected = multiplier(*double, STRENGTHS)
    found = Multiplier(ws, STRENGTHS, clusters=clusters)(*arguments)
    for layer, reference in expected.items():
        torch.testing.assert_close(found[layer].double(), reference, rtol=0, atol=2e-6)


@compiled
@pytest.mark.parametrize("build", BUILDS)
def test_a_column_that_is_never_read_has_factor_one(build, monkeypatch):
    monkeypatch.setenv(kernel.SWITCH, build)
    ws, *arguments = scene(9, 3, (7, 5))
    factors = Multiplier(ws, STRENGTHS, clusters=3)(ws, *arguments)
    assert torch.equal(factors[0][:, 2], torch.ones(7))


@compiled
def test_outputs_that_are_not_finite_are_not_hidden():
    ws, x, outputs, at_points, distances = scene(9, 3, (7, 5))
    outputs[0][4, 1] = torch.nan
    loss, (gradient, _) = alignment(outputs, distances, torch.float32)
    assert loss != loss
    assert gradient[:, 1].isnan().all()
    factors = Multiplier(ws, STRENGTHS, clusters=3)(ws, x, outputs, at_points, distances)
    assert factors[0][1, 0].isnan()


def results(build):
    """Loss, gradient and factors of one layer, by a build."""
    library = kernel.Library(kernel.builds()[build])
    (w, _), x, (z, _), (z_c, _), distances = scene(116, 6, (64, 8))
    unit = unit_distances(distances, len(distances))[0]
    part = LayerAlignment(library, torch.arange(64) % 6, share=0.1, clusters=6)
    loss, gradient = part(z, unit)
    factors = LayerMultiplier(library, (64, 11), strength=0.7, clusters=6)
    return torch.tensor([loss]), gradient, factors(w, x, z, z_c, distances)


@compiled
def test_builds_repeats_and_threads_agree_to_the_last_bit():
    builds = BUILDS * 4
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(results, builds)
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


@compiled
def test_a_gradient_is_that_of_the_last_batch_whatever_its_size():
    _, _, outputs, _, distances = scene(9, 3, (7, 5))
    part = LayerAlignment(default_library(), torch.arange(7) % 3, share=0.1, clusters=3)
    for rows in (9, 4, 9):
        unit = unit_distances(distances[:rows], rows)[0]
        _, gradient = part(outputs[0][:rows], unit)
        _, (expected, _) = alignment([z[:rows] for z in outputs], distances[:rows], torch.float32)
        assert gradient.shape == (rows, 7)
        torch.testing.assert_close(gradient * 0.4 / 7 / 0.1, expected)


@pytest.mark.parametrize("off", [True, False])
def test_without_the_kernel_and_in_float64_torch_computes(off, monkeypatch):
    if off:
        monkeypatch.setenv(kernel.SWITCH, kernel.OFF)
    dtype = torch.float32 if off else torch.float64
    _, _, outputs, _, distances = scene(9, 3, (7, 5))
    loss, _ = alignment(outputs, distances, dtype)
    assert isinstance(loss, torch.Tensor)
    assert loss.dtype == dtype
