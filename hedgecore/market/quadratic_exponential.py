"""Andersen's quadratic-exponential scheme with the exact martingale correction (QE-M)."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from hedgecore.market.log_spot import LogSpotStep
from hedgecore.market.noise import Noise, PerPath
from hedgecore.market.params import HestonParams

# The quadratic branch serves psi = Var/mean^2 up to 1.5; both branches exist for 1 <= psi <= 2.
R_SWITCH = 2.0 / 1.5

Array = NDArray[np.float64]


class QuadraticExponential:
    """One step of QE-M for a block of paths.

    The next variance matches its exact conditional mean and variance: a squared Gaussian where its
    distribution is narrow, an atom at 0 with an exponential tail where it is wide. The drift of
    the log spot makes the discounted spot a martingale of the scheme for every step size; a path
    with infinite E[exp(A v')], which requires a positive rho and a long step, keeps the
    uncorrected drift.

    Throughout r = 2/psi, so that neither branch divides by a variance that is 0. The arithmetic is
    in NumPy, where small operations have half the overhead of torch's.

    Source: Andersen (2008), equations 17 to 33 and propositions 7 to 9.
    """

    def __init__(self, params: HestonParams, dt: float, noise: Noise) -> None:
        b = params.decay_time(dt)
        self._noise = noise
        self._log_spot = LogSpotStep(params, dt, noise)
        self._decay = math.exp(-params.kappa * dt)
        self._level = params.kappa * params.v_bar * b
        self._half_variance_slope = params.xi**2 * self._decay * b / 2
        # Smallest value with finite r^2; corresponds to a standard deviation of 1e-70.
        self._half_variance_level = params.xi**2 * self._level * b / 4 + 1e-140
        scratch = noise.scratch(5)
        self._scratch = [buffer.numpy() for buffer in scratch]
        self._compensator = scratch[2]

    def __call__(self, x: PerPath, v: PerPath, x_next: PerPath, v_next: PerPath) -> None:
        """Write log spot and variance one step on into ``x_next`` and ``v_next``."""
        z_variance, z_spot = self._noise.normals()
        m, r, compensator, a, buffer = self._scratch
        old, new = v.numpy(), v_next.numpy()
        np.multiply(old, self._decay, out=m)
        m += self._level
        np.multiply(old, self._half_variance_slope, out=buffer)
        buffer += self._half_variance_level
        np.divide(m, buffer, out=r)
        r *= m

        # b^2 = r - 1 + sqrt(r (r - 1)), a = m / (1 + b^2), v' = a (b + Z)^2; below r = 1 this is
        # NaN, which the other branch overwrites.
        with np.errstate(invalid="ignore"):
            b_squared = np.subtract(r, 1.0, out=compensator)
            np.multiply(r, b_squared, out=buffer)
            b_squared += np.sqrt(buffer, out=buffer)
            np.add(b_squared, 1.0, out=buffer)
            np.divide(m, buffer, out=a)
            np.sqrt(b_squared, out=new)
            new += z_variance.numpy()
            np.square(new, out=new)
            new *= a
            # -ln E[exp(A v')] = ln(1 - 2Aa)/2 - A b^2 a / (1 - 2Aa), where a b^2 = m - a; finite
            # for 2Aa < 1
            np.subtract(a, m, out=compensator)
            compensator *= self._log_spot.a
            shift = np.multiply(a, -2.0 * self._log_spot.a, out=a)
            compensator /= np.add(shift, 1.0, out=buffer)
            np.log1p(shift, out=shift)
            shift *= 0.5
            compensator += shift

        wide = np.flatnonzero(r < R_SWITCH)
        if wide.size:
            values = self._exponential(m.take(wide), r.take(wide))
            for whole, part in zip((v_next, self._compensator), values, strict=True):
                whole.scatter_(0, torch.from_numpy(wide), torch.from_numpy(part))
        if self._log_spot.a > 0.0:
            plain = self._log_spot.plain_compensator(v).numpy()
            np.copyto(compensator, plain, where=~np.isfinite(compensator))
        self._log_spot(x, v, v_next, compensator=self._compensator, z=z_spot, out=x_next)

    def _exponential(self, m: Array, r: Array) -> tuple[Array, Array]:
        # 1 - p = 2r / (2 + r), 1/beta = m (2 + r) / (2r), v' = max(ln((1 - p) / U), 0) / beta
        r += 1e-100
        spread = r + 2.0
        q = r / spread
        q *= 2.0
        inverse_beta = m
        inverse_beta /= q
        v_next = self._noise.uniforms(m.size).numpy()
        np.divide(q, v_next, out=v_next)
        np.maximum(v_next, 1.0, out=v_next)
        np.log(v_next, out=v_next)
        v_next *= inverse_beta
        # -ln E[exp(A v')] = ln((1 - g) / (1 - g + g q)) = ln(1 - g q / (1 - g + g q)), g = A /
        # beta < 1
        g = np.multiply(inverse_beta, self._log_spot.a, out=inverse_beta)
        q *= g
        np.subtract(q, g, out=spread)
        spread += 1.0
        q /= spread
        with np.errstate(invalid="ignore", divide="ignore"):
            compensator = np.log1p(np.negative(q, out=q), out=q)
        if self._log_spot.a > 0.0:
            # Beyond the pole g = 1 the quotient can be positive again though the mean is infinite.
            compensator[g >= 1.0] = math.nan
        return v_next, compensator
