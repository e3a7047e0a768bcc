"""What may vary: YAML texts become frozen, validated search spaces, before anything runs.

>>> space = load("search_spaces/tickets.yaml", overrides=["space.lr.grid=[1.0e-3]"])
"""

from .domains import DOMAINS, Choice, Domain, Grid, LogUniform, RandInt, Uniform
from .loader import load, shipped
from .messages import SpaceError
from .space import Asha, Resources, Search, SearchSpace

__all__ = [
    "DOMAINS",
    "Asha",
    "Choice",
    "Domain",
    "Grid",
    "LogUniform",
    "RandInt",
    "Resources",
    "Search",
    "SearchSpace",
    "SpaceError",
    "Uniform",
    "load",
    "shipped",
]
