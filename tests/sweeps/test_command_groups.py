"""The help of the command line: every command in one group, each with an example that parses."""

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from sweeps.__main__ import cli
from sweeps.command_groups import SECTIONS

_EXAMPLE = re.compile(r"Example: (hedgesweep .+?)(?=\n\n|\Z)", re.DOTALL)


def test_every_command_is_in_one_group_and_every_name_of_a_group_is_a_command():
    names = [name for group in SECTIONS.values() for name in group]
    assert sorted(names) == sorted(cli.commands)
    printed = CliRunner().invoke(cli, ["--help"]).output
    assert "Other commands" not in printed
    places = [printed.index(f"\n  {name} ") for name in names]
    assert places == sorted(places)


def examples(name: str) -> list[list[str]]:
    text = cli.commands[name].help or ""
    return [shlex.split(example)[1:] for example in _EXAMPLE.findall(text)]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_a_command_has_an_example_that_parses_for_itself(name):
    assert examples(name)
    for command, *arguments in examples(name):
        assert command == name
        with click.Context(cli, info_name="hedgesweep") as parent:
            context = cli.commands[name].make_context(name, arguments, parent=parent)
        assert context.params


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_first_argument_is_what_the_command_works_on(name):
    arguments = [p.name for p in cli.commands[name].params if isinstance(p, click.Argument)]
    places = ("space", "storage", "path", "place", "source", "cluster", "bundle", "tables")
    assert not arguments or arguments[0] in places


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell_is_printed(shell):
    environment = {"_HEDGESWEEP_COMPLETE": f"{shell}_source"}
    result = CliRunner().invoke(cli, [], prog_name="hedgesweep", env=environment)
    assert result.exit_code == 0
    assert "_HEDGESWEEP_COMPLETE" in result.output
