"""Commands that are loaded when they are wanted: ``--help`` needs a line of each, no more.

The modules of the commands stand on the whole program, which takes several times as
long to load as the interpreter and click together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True)
class Later:
    """A command's place as ``module:name``, and its line in the list of commands."""

    place: str
    summary: str

    def load(self) -> click.Command:
        """The command itself."""
        module, _, name = self.place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command), self.place  # noqa: S101 - a bug in our own table
        return command


class LazyGroup(click.Group):
    """A group that knows its commands by a table."""

    def __init__(self, *args: Any, later: Mapping[str, Later], **options: Any) -> None:
        super().__init__(*args, **options)
        self.later = later

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, sorted as click does."""
        return sorted(self.later)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is none of this name."""
        found = self.later.get(cmd_name)
        return found.load() if found is not None else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.later[name].summary) for name in sorted(self.later)])
