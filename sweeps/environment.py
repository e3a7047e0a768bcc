"""Temporary environment variables of this process."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set ``variables``, except those that are None, and restore all of them afterwards."""
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
    """``variables`` for :func:`environment`, with precedence to values that the user has set."""
    return {name: os.environ.get(name, value) for name, value in variables.items()}
