"""Andersen's quadratic-exponential scheme with the exact martingale correction (QE-M)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.market.log_spot import LogSpotStep
from hedgecore.market.noise import Noise
from hedgecore.market.params import HestonParams

# The quadratic branch serves psi = Var/mean^2 up to 1.5; both branches exist for 1 <= psi <= 2.
R_SWITCH = 2.0 / 1.5


class QuadraticExponential:
    """One step of QE-M for a block of paths.

    The next variance matches its exact conditional mean and variance: a squared Gaussian where its
    law is narrow, an atom at 0 with an exponential tail where it is wide. The drift of the log
    spot is the one that makes the discounted spot a martingale of the scheme itself, whatever the
    step; a path on which E[exp(A v')] is infinite, which takes a positive rho and a long step,
    keeps the uncorrected drift.

    Throughout r = 2/psi, so that neither branch divides by a variance that is 0.

    Source: Andersen (2008), equations 17 to 33 and propositions 7 to 9.
    """

    def __init__(self, params: HestonParams, dt: float, noise: Noise) -> None:
        b = params.decay_time(dt)
        self._noise = noise
        self._log_spot = LogSpotStep(params, dt, noise)
        self._decay = math.exp(-params.kappa * dt)
        self._level = params.kappa * params.v_bar * b
        self._variance_slope = params.xi**2 * self._decay * b
        self._variance_level = params.xi**2 * self._level * b / 2
        self._scratch = noise.scratch(5)

    def __call__(
        self,
        x: Float[Tensor, " size"],
        v: Float[Tensor, " size"],
        x_next: Float[Tensor, " size"],
        v_next: Float[Tensor, " size"],
    ) -> None:
        """Write log spot and variance one step on into ``x_next`` and ``v_next``."""
        z_variance, z_spot = self._noise.normals()
        m, r, compensator, first, second = self._scratch
        torch.mul(v, self._decay, out=m).add_(self._level)
        torch.mul(v, self._variance_slope, out=r).add_(self._variance_level).clamp_(min=1e-300)
        torch.div(m, r, out=r).mul_(m).mul_(2.0)

        # b^2 = r - 1 + sqrt(r (r - 1)), a = m / (1 + b^2), v' = a (b + Z)^2.
        # Clipped below so that no root meets 0 on the paths the other branch overwrites.
        clipped = torch.clamp(r, min=1.0001, max=1e100, out=v_next)
        torch.sub(clipped, 1.0, out=compensator)
        torch.mul(clipped, compensator, out=first)
        b_squared = compensator.addcmul_(first, torch.rsqrt(first, out=second))
        a = torch.div(m, torch.add(b_squared, 1.0, out=first), out=first)
        torch.rsqrt(b_squared, out=v_next).mul_(b_squared).add_(z_variance).square_().mul_(a)
        # -ln E[exp(A v')] = ln(1 - 2Aa)/2 - A b^2 a / (1 - 2Aa), where a b^2 = m - a; finite for
        # 2Aa < 1
        torch.sub(a, m, out=compensator).mul_(self._log_spot.a)
        shift = a.mul_(-2.0 * self._log_spot.a)
        compensator.div_(torch.add(shift, 1.0, out=second))
        compensator.add_(shift.log1p_(), alpha=0.5)

        if float(r.amin()) < R_SWITCH:
            wide = (r < R_SWITCH).nonzero().squeeze(1)
            v_wide, compensator_wide = self._exponential(
                m.index_select(0, wide), r.index_select(0, wide)
            )
            v_next.scatter_(0, wide, v_wide)
            compensator.scatter_(0, wide, compensator_wide)
        if self._log_spot.a > 0.0:
            plain = self._log_spot.plain_compensator(v)
            torch.where(compensator.isfinite(), compensator, plain, out=compensator)
        self._log_spot(x, v, v_next, compensator=compensator, z=z_spot, out=x_next)

    def _exponential(
        self, m: Float[Tensor, " wide"], r: Float[Tensor, " wide"]
    ) -> tuple[Float[Tensor, " wide"], Float[Tensor, " wide"]]:
        # 1 - p = 2r / (2 + r), 1/beta = m (2 + r) / (2r), v' = max(ln((1 - p) / U), 0) / beta
        r.clamp_(min=1e-100)
        spread = r + 2.0
        q = torch.div(r, spread).mul_(2.0)
        inverse_beta = m.mul_(spread.div_(r)).mul_(0.5)
        u = self._noise.uniforms(m.numel())
        v_next = torch.div(q, u, out=u).sub_(1.0).clamp_(min=0.0).log1p_().mul_(inverse_beta)
        # -ln E[exp(A v')] = ln((1 - g) / (1 - g + g q)) = ln(1 - g q / (1 - g + g q)), g = A /
        # beta < 1
        g = inverse_beta.mul_(self._log_spot.a)
        q.mul_(g)
        compensator = torch.div(q, torch.sub(q, g, out=spread).add_(1.0), out=q).neg_().log1p_()
        if self._log_spot.a > 0.0:
            # Beyond the pole g = 1 the quotient can come out positive again though the mean is
            # infinite.
            compensator.masked_fill_(g >= 1.0, math.nan)
        return v_next, compensator
