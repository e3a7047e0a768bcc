"""Search spaces: YAML texts become frozen, validated objects before anything runs.

>>> space = load("search_spaces/tickets.yaml", overrides=["space.lr.grid=[1e-3]"])
"""

from search_spaces.domains import DOMAINS, Choice, Domain, Grid, LogUniform, RandInt, Uniform
from search_spaces.loader import build, load
from search_spaces.messages import SpaceError
from search_spaces.schedulers import (
    SCHEDULERS,
    Asha,
    Hyperband,
    IEpoch,
    Median,
    Pbt,
    Scheduler,
    StockAsha,
)
from search_spaces.search import Search
from search_spaces.space import Resources, SearchSpace
from search_spaces.space_files import shipped

__all__ = [
    "DOMAINS",
    "SCHEDULERS",
    "Asha",
    "Choice",
    "Domain",
    "Grid",
    "Hyperband",
    "IEpoch",
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
    "build",
    "load",
    "shipped",
]
