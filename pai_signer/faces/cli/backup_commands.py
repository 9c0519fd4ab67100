"""``backup``: paper."""

import click

from pai_signer.faces.cli.session import CommandSession


@click.group()
def backup() -> None:
    """The custodians' backups of the keys, and their proofs."""


@backup.command("paper")
@click.argument("source", required=False, metavar="SRC")
@click.argument("directory", required=False, metavar="DEST")
@click.option("--set", "number", metavar="NUMBER", help="Which of several sets; else the newest.")
@click.pass_obj
def backup_paper(
    session: CommandSession, source: str | None, directory: str | None, number: str | None
) -> None:
    """Write a backup as pages to print, with QR codes and rows to type (CUS-1)."""
    arguments = {"source": source or "", "directory": directory or "", "set": number or ""}
    session.run("backup.paper", arguments, {})
