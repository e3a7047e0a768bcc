"""Step of the log spot, shared by every scheme with a given next variance."""

import numpy as np

from hedgecore.market.noise import Noise, PerPath
from hedgecore.market.params import HestonParams


class LogSpotStep:
    """ln S' given v and v', with the trapezoid (v + v') dt/2 for the integrated variance.

    ln S' = ln S + (r - q) dt + K0 + K1 v + K2 v' + sqrt(K3 (v + v')) Z. The martingale correction
    replaces K0 by K0* = -ln E[exp(A v') | v] - (K1 + K3/2) v with A = K2 + K3/2. A scheme
    therefore supplies its ``compensator`` -ln E[exp(A v') | v].

    Source: Andersen (2008), equation 33 and section 4.3; K3 = K4 for the trapezoid.
    """

    def __init__(self, params: HestonParams, dt: float, noise: Noise) -> None:
        rho, xi = params.rho, params.xi
        half = (params.kappa * rho / xi - 0.5) * dt / 2
        self.drift = params.drift * dt
        self.k2 = half + rho / xi
        self.k3 = (1.0 - rho * rho) * dt / 2
        self.a = self.k2 + self.k3 / 2
        self._plain_level = -rho * params.kappa * params.v_bar * dt / xi
        self._plain_slope = half - rho / xi + self.k3 / 2
        self._scratch = noise.scratch(1)[0].numpy()

    def plain_compensator(self, v: PerPath) -> PerPath:
        """Uncorrected drift, in place of -ln E[exp(A v')] where that mean is infinite."""
        return v * self._plain_slope + self._plain_level

    def __call__(
        self,
        x: PerPath,
        v: PerPath,
        v_next: PerPath,
        *,
        compensator: PerPath,
        z: PerPath,
        out: PerPath,
    ) -> None:
        """Write the log spot after ``x`` into ``out``; ``compensator`` is overwritten."""
        old, new, step, buffer = v.numpy(), v_next.numpy(), compensator.numpy(), self._scratch
        np.add(old, new, out=buffer)
        buffer *= self.k3
        np.sqrt(buffer, out=buffer)
        buffer *= z.numpy()
        step += buffer
        np.multiply(new, self.k2, out=buffer)
        step += buffer
        np.multiply(old, self.k3 / 2, out=buffer)
        step -= buffer
        step += self.drift
        np.add(x.numpy(), step, out=out.numpy())
