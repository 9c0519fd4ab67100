"""``backup``: make a custodian's backup, prove that one works, see what is proved (CUS)."""

import click

from pai_signer.faces.cli.ceremony_options import answers_of, passphrase_option
from pai_signer.faces.cli.session import CommandSession

custodian_option = click.option("--custodian", metavar="NAME", help="Whose backup it is.")


@click.group()
def backup() -> None:
    """The custodians' backups of the keys, and the proofs that they work."""


@backup.command("create")
@click.argument("directory", required=False, metavar="DEST")
@custodian_option
@passphrase_option
@click.pass_obj
def backup_create(
    session: CommandSession,
    directory: str | None,
    custodian: str | None,
    descriptors: tuple[str, ...],
) -> None:
    """Write a backup of the keys for one custodian to a medium, and prove it (CUS-1)."""
    arguments = {"custodian": custodian or "", "directory": directory or ""}
    session.run("backup.create", arguments, answers_of({}, descriptors))


@backup.command("verify")
@click.argument("directory", required=False, metavar="SRC")
@custodian_option
@click.option("--repair", is_flag=True, help="Rewrite damaged copies from a whole one.")
@passphrase_option
@click.pass_obj
def backup_verify(
    session: CommandSession,
    directory: str | None,
    custodian: str | None,
    repair: bool,
    descriptors: tuple[str, ...],
) -> None:
    """Let the keys on a backup medium sign a challenge, to prove that it works (CUS-2)."""
    arguments = {"custodian": custodian or "", "directory": directory or ""}
    given = {"repair": "yes"} if repair else {}
    session.run("backup.verify", arguments, answers_of(given, descriptors))


@backup.command("status")
@click.pass_obj
def backup_status(session: CommandSession) -> None:
    """Show each key, custodian and medium, and what of it was proved when (CUS-3)."""
    session.run("backup.status", {}, {})


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


@backup.command("restore")
@click.argument("directory", required=False, metavar="SRC")
@click.option("--set", metavar="NUMBER", help="Which of several sets; else the newest.")
@click.option("--fingerprint", metavar="TEXT", help="The OpenPGP fingerprint, from paper.")
@click.option("--minisign-key", metavar="TEXT", help="The minisign public key, from paper.")
@click.option("--second-medium", metavar="SRC", help="Another backup, which may be newer.")
@click.option("--head", metavar="TEXT", help="Number and words of the newest journal head.")
@passphrase_option
@click.pass_obj
def backup_restore(
    session: CommandSession,
    /,
    *,
    directory: str | None,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Restore keys, registry and journal from a backup alone, into a new vault (CUS-4)."""
    answers = answers_of(given, descriptors)
    session.run("backup.restore", {"directory": directory or ""}, answers)
