"""What may vary: YAML texts become frozen, validated search spaces, before anything runs.

>>> space = load("search_spaces/tickets.yaml", overrides=["space.lr.grid=[1.0e-3]"])
"""

from .domains import DOMAINS, Choice, Domain, Grid, LogUniform, RandInt, Uniform
from .files import shipped
from .loader import load
from .messages import SpaceError
from .schedulers import SCHEDULERS, Asha, Hyperband, Median, Pbt, Scheduler, StockAsha
from .search import Search
from .space import Resources, SearchSpace

__all__ = [
    "DOMAINS",
    "SCHEDULERS",
    "Asha",
    "Choice",
    "Domain",
    "Grid",
    "Hyperband",
    "LogUniform",
    "Median",
    "Pbt",
    "RandInt",
    "Resources",
    "Scheduler",
    "Search",
    "SearchSpace",
    "SpaceError",
    "StockAsha",
    "Uniform",
    "load",
    "shipped",
]
