"""The help of the command line: every command in one group, each with an example that parses."""

import re
import shlex

import click
import pyarrow as pa
import pyarrow.parquet as pq
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


def completed(line, incomplete):
    """Values that a shell would offer at the end of ``line``."""
    from click.shell_completion import ShellComplete

    shell = ShellComplete(cli, {}, "hedgesweep", "_HEDGESWEEP_COMPLETE")
    return [item.value for item in shell.get_completions(line.split(), incomplete)]


def test_trial_ids_and_shipped_spaces_are_completed(tmp_path):
    pq.write_table(
        pa.table({"trial_id": ["1fa3", "1fb4", "9c00"], "status": ["completed"] * 3}),
        tmp_path / "trials.parquet",
    )
    assert completed(f"show {tmp_path}", "1f") == ["1fa3", "1fb4"]
    assert completed(f"show {tmp_path / 'nothing'}", "1f") == []
    (tmp_path / "trials.parquet").write_bytes(b"damaged")
    assert completed(f"show {tmp_path}", "") == []
    assert "tickets.yaml" in completed("plan", "tick")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell_is_printed(shell):
    environment = {"_HEDGESWEEP_COMPLETE": f"{shell}_source"}
    result = CliRunner().invoke(cli, [], prog_name="hedgesweep", env=environment)
    assert result.exit_code == 0
    assert "_HEDGESWEEP_COMPLETE" in result.output
