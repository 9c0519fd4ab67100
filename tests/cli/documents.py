"""The commands that documents give their readers, so that tests can run or check every one."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from pai_signer.faces.cli.main import cli


def documented(document: Path) -> list[list[str]]:
    """The arguments of each ``pai-signer`` line in a document's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("pai-signer ")]


def placed(argument: str, places: Mapping[str, str]) -> str:
    """``argument`` with the folder that it begins with put where the test has it."""
    for place, real in places.items():
        if argument.startswith(place):
            return real + argument.removeprefix(place)
    return argument


def check_spelling(arguments: Sequence[str]) -> None:
    """Parse a command as the program would, without running it; ``UsageError`` of click's."""
    context = click.Context(cli, info_name="pai-signer")
    command: click.Command = cli
    name, *rest = arguments
    while isinstance(command, click.Group):
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r}", context)
        command = found
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
            name, *rest = rest
    # Descriptors are opened as they are parsed, and a document's are nobody's.
    paired = list(zip(["", *rest], [*rest, ""], strict=True))
    kept = [word for before, word in paired if "--passphrase-fd" not in (before, word) and word]
    command.make_context(name, kept, parent=context)
