"""Environment variables of this process, set for a while."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """``variables`` set, those that are None as they are, and all of them restored afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def defaults(variables: Mapping[str, str]) -> dict[str, str]:
    """``variables`` for :func:`environment`, where the user's own values come first."""
    return {name: os.environ.get(name, value) for name, value in variables.items()}
