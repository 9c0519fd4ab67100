"""``ceremony``: list, show, export."""

import click

from pai_signer.faces.cli.session import CommandSession


@click.group()
def ceremony() -> None:
    """The ceremonies that were held, and their transcripts."""


@ceremony.command("list")
@click.pass_obj
def ceremony_list(session: CommandSession) -> None:
    """List every ceremony that was held."""
    session.run("ceremony.list", {}, {})


@ceremony.command("show")
@click.argument("ceremony_id", required=False, metavar="ID")
@click.pass_obj
def ceremony_show(session: CommandSession, ceremony_id: str | None) -> None:
    """Show one transcript, compared with the journal first."""
    session.run("ceremony.show", {"ceremony": ceremony_id or ""}, {})


@ceremony.command("export")
@click.argument("directory", required=False, metavar="DEST")
@click.pass_obj
def ceremony_export(session: CommandSession, directory: str | None) -> None:
    """Write every transcript, with what was made in its ceremony, to a medium."""
    session.run("ceremony.export", {"directory": directory or ""}, {})
