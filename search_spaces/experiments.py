"""Names of the available experiments: those of hedgesweep and of other packages.

An installed package adds one by an entry point of the group ``hedgesweep.experiments``; a space
contains its name and never a path, so that an untrusted space cannot run code.
"""

BUILT_IN = ("tickets", "xnn")
GROUP = "hedgesweep.experiments"


def is_experiment(name: object) -> bool:
    """True if an experiment of this ``name`` exists."""
    return name in BUILT_IN or name in names()


def names() -> tuple[str, ...]:
    """All names, those of hedgesweep first."""
    from importlib.metadata import entry_points  # slow to import, and few spaces need it

    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN}))
