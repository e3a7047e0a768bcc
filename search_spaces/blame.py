"""Attribution of an error to the override that caused it."""

from collections.abc import Callable

from search_spaces.messages import OVERRIDES, SET, SpaceError
from search_spaces.yaml_text import show

Overrides = dict[str, object] | list[str]


def blamed(
    error: SpaceError, overrides: Overrides, attempt: Callable[[Overrides], object]
) -> SpaceError:
    """``error``, at the place of the last override that it depends on.

    An invalid combination is reported at one of its keys, which may be in the file although the
    override of another key made it invalid.

    Args:
        error: what ``attempt`` raised with all overrides.
        overrides: all overrides, in order.
        attempt: function that is retried with the first few overrides.
    """
    if not error.key:
        return error
    for last in reversed(range(len(overrides))):
        if isinstance(overrides, dict):
            items = list(overrides.items())
            fewer: Overrides = dict(items[:last])
            key = items[last][0]
            place = f"{OVERRIDES} {key}={show(items[last][1])}"
        else:
            fewer, place = overrides[:last], f"{SET} {show(overrides[last])[1:-1]}"
            key = overrides[last].partition("=")[0].strip()
        if f"{key}.".startswith(f"{error.key}.") or f"{error.key}.".startswith(f"{key}."):
            return error
        if _problem(attempt, fewer) != (error.key, error.problem):
            return error.blamed_on(place)
    return error


def _problem(
    attempt: Callable[[Overrides], object], overrides: Overrides
) -> tuple[str, str] | None:
    try:
        attempt(overrides)
    except SpaceError as error:
        return error.key, error.problem
    return None
