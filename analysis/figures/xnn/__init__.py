"""Figures of an X-NN sweep: functions that draw into an Axes or Figure, and :func:`save_xnn`."""

from analysis.figures.xnn.clusters import components, nearest
from analysis.figures.xnn.column_importance import column_importance
from analysis.figures.xnn.controls import controls
from analysis.figures.xnn.fairness import fairness
from analysis.figures.xnn.featured import featured
from analysis.figures.xnn.heat_map import heat_map
from analysis.figures.xnn.losses import losses
from analysis.figures.xnn.network_diagram import network
from analysis.figures.xnn.node_coefficients import coefficients, largest_coefficient, nodes
from analysis.figures.xnn.predicted import predictions, save_predictions
from analysis.figures.xnn.probes import dependence, excitation
from analysis.figures.xnn.responses import response_densities
from analysis.figures.xnn.save import save_xnn
from analysis.figures.xnn.tradeoff import pareto

__all__ = [
    "coefficients",
    "column_importance",
    "components",
    "controls",
    "dependence",
    "excitation",
    "fairness",
    "featured",
    "heat_map",
    "largest_coefficient",
    "losses",
    "nearest",
    "network",
    "nodes",
    "pareto",
    "predictions",
    "response_densities",
    "save_predictions",
    "save_xnn",
]
