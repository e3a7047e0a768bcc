"""Commands of the command line in the groups in which ``hedgesweep --help`` lists them."""

from collections.abc import Mapping

import click

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Run a sweep": ("plan", "run", "status", "logs", "stop", "enqueue", "retry"),
    "Read results": ("report", "best", "trials", "show", "compare", "claims", "query", "export"),
    "Check results": ("verify", "replay", "evaluate", "record", "simulate"),
    "Deploy a model": (
        "export-model",
        "keys",
        "seal",
        "open",
        "predict",
        "plot-predictions",
    ),
    "Use a cluster": ("submit", "cancel"),
}
"""Names of commands by heading, in the order of the help."""

_WHOLE = 200  # characters, more than any first sentence has


class CommandGroups(click.Group):
    """Group of commands whose help lists them under the headings of :data:`SECTIONS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the help; those without a section last."""
        placed = [name for names in SECTIONS.values() for name in names if name in self.commands]
        return [*placed, *sorted(self.commands.keys() - {*placed})]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table of commands for each section."""
        remaining = dict.fromkeys(self.list_commands(ctx))
        for heading, names in SECTIONS.items():
            self._section(heading, [n for n in names if n in remaining], formatter)
            remaining = {n: None for n in remaining if n not in names}
        self._section("Other commands", list(remaining), formatter)

    def _section(self, heading: str, names: list[str], formatter: click.HelpFormatter) -> None:
        if not names:
            return
        width = max(map(len, self.commands))
        rows = [(n.ljust(width), self.commands[n].get_short_help_str(_WHOLE)) for n in names]
        with formatter.section(heading):
            formatter.write_dl(rows)
