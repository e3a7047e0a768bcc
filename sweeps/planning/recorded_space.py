"""Space of a sweep, from the manifest in its log: what its last driver ran, overrides included."""

from collections.abc import Mapping
from typing import Any

from search_spaces import DOMAINS, SCHEDULERS, RandInt, Resources, Search, SearchSpace
from search_spaces.domains import Domain
from search_spaces.space import frozen
from sweeps.errors import UsageError


def recorded_space(manifest: Mapping[str, Any], text: str) -> SearchSpace:
    """Space of the ``manifest`` of a sweep; ``text`` is its file as it was read.

    Raises:
        UsageError: the manifest is of another version.
    """
    scheduler = None
    try:
        for kind, fields in (manifest["scheduler"] or {}).items():
            scheduler = SCHEDULERS[kind](**frozen(fields))
        return SearchSpace(
            experiment=manifest["experiment"],
            space={axis: _domain(written) for axis, written in manifest["space"].items()},
            study=manifest["study"],
            search=Search(**frozen(manifest["search"])),
            scheduler=scheduler,
            resources=Resources(**manifest["resources"]),
            name=manifest["name"],
            text=text,
            when=manifest["when"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the space in the log is of another version of hedgesweep ({error}); give the space "
            "file to hedgesweep run instead"
        ) from error


def _domain(written: Mapping[str, Any]) -> Domain:
    ((kind, ends),) = written.items()
    if kind in ("grid", "choice"):
        return DOMAINS[kind](frozen(ends))
    low, high = ends
    # The last number that is drawn, where a space file has the first that is not.
    return DOMAINS[kind](low, high + 1 if DOMAINS[kind] is RandInt else high)
