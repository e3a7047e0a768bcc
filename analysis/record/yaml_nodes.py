"""Nodes of YAML texts that may be a stranger's: few levels, no aliases, nothing constructed."""

import yaml

_LEVELS = 12
"""Deepest nesting: the time of PyYAML grows with its square."""


def composed(content: bytes) -> yaml.Node | None:
    """Node of the one document in ``content``; None of an empty one.

    Raises:
        ValueError: it is not valid YAML, is nested too deep or has aliases, of which a few lines
            make more values than fit into memory; the message is one line.
    """
    try:
        text = content.decode("utf-8")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _LEVELS:
                place = event.start_mark.line + 1 if event.start_mark else 1
                raise ValueError(f"line {place}: an alias, or more than {_LEVELS} levels")
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        if isinstance(error, yaml.MarkedYAMLError) and mark is not None:
            raise ValueError(f"line {mark.line + 1}: {error.problem}") from error
        raise ValueError(str(error).partition("\n")[0]) from error
    return node
