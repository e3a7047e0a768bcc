"""The figures of an X-NN sweep: functions that fill an Axes or a figure, and :func:`save_xnn`."""

from analysis.figures.xnn.clusters import components, nearest
from analysis.figures.xnn.controls import controls
from analysis.figures.xnn.drawing import network
from analysis.figures.xnn.fairness import fairness
from analysis.figures.xnn.heat import heat_map
from analysis.figures.xnn.linear import coefficients, largest_coefficient, nodes
from analysis.figures.xnn.losses import losses
from analysis.figures.xnn.probes import dependence, excitation
from analysis.figures.xnn.responses import response_densities
from analysis.figures.xnn.save import save_xnn
from analysis.figures.xnn.told import tell
from analysis.figures.xnn.tradeoff import pareto

__all__ = [
    "coefficients",
    "components",
    "controls",
    "dependence",
    "excitation",
    "fairness",
    "heat_map",
    "largest_coefficient",
    "losses",
    "nearest",
    "network",
    "nodes",
    "pareto",
    "response_densities",
    "save_xnn",
    "tell",
]
