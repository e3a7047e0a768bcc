"""Names of the experiments that a space may be for: those of hedgesweep and of other packages.

An installed package offers one by an entry point of the group ``hedgesweep.experiments``; a space
holds its name and never a path, so that no file of a stranger runs code.
"""

BUILT_IN = ("tickets", "xnn")
GROUP = "hedgesweep.experiments"


def is_experiment(name: object) -> bool:
    """Whether there is an experiment of this ``name``."""
    return name in BUILT_IN or name in names()


def names() -> tuple[str, ...]:
    """Every name, those of hedgesweep first."""
    from importlib.metadata import entry_points  # takes long to import, and few spaces need it

    return (*BUILT_IN, *sorted({point.name for point in entry_points(group=GROUP)} - {*BUILT_IN}))
