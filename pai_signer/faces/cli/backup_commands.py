"""``backup``: make a custodian's backup, prove that one works, see what is proved (CUS)."""

import click

from pai_signer.faces.cli.ceremony_options import (
    answers_of,
    ceremony_options,
    passphrase_option,
)
from pai_signer.faces.cli.session import CommandSession

custodian_option = click.option("--custodian", metavar="NAME", help="Whose backup it is.")

fingerprint_option = click.option(
    "--fingerprint", metavar="TEXT", help="The OpenPGP fingerprint, from your own paper card."
)
minisign_key_option = click.option(
    "--minisign-key", metavar="TEXT", help="The minisign public key, from your own paper card."
)


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


@backup.command("session")
@click.argument("first", required=False, metavar="SRC")
@click.argument("second_medium", required=False, metavar="SECOND")
@click.option("--first-maintainer", metavar="NAME", help="Whose medium SRC is; else yours.")
@fingerprint_option
@minisign_key_option
@click.option("--cross-check", type=click.Choice(["yes", "no"]), help="Are both plugged in?")
@click.option("--export", metavar="DEST", help="Where to write the attestation; else later.")
@ceremony_options
@click.pass_obj
def backup_session(
    session: CommandSession,
    /,
    *,
    first: str | None,
    second_medium: str | None,
    export: str | None,
    script: bool,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Let two maintainers prove their media, SRC and SECOND, and attest it (CUS-3)."""
    if script:
        session.run("backup.session.script", {}, {})
        return
    arguments = {"first": first or "", "second": second_medium or "", "export": export or ""}
    session.run("backup.session", arguments, answers_of(given, descriptors))


@backup.command("accept")
@click.argument("directory", required=False, metavar="SRC")
@click.pass_obj
def backup_accept(session: CommandSession, directory: str | None) -> None:
    """Take in the proofs that another workstation has attested (CUS-3)."""
    session.run("backup.accept", {"directory": directory or ""}, {})


@backup.command("lost")
@click.argument("what", type=click.Choice(["medium", "passphrase", "maintainer"]))
@click.option("--whose", metavar="NAME", help="The custodian.")
@click.option("--which", metavar="UUID", help="The medium, if they have several.")
@click.option("--happened", metavar="WHAT", help="What became of it, as the wizard offers it.")
@click.option("--others", type=click.Choice(["yes", "no"]), help="May somebody else use it?")
@click.option("--why", metavar="TEXT", help="One line for the journal.")
@click.pass_obj
def backup_lost(session: CommandSession, /, *, what: str, **given: str | None) -> None:
    """Withdraw what is lost from the ledger, and say what to do next (CUS-4)."""
    entry = {
        "medium": "backup.lost.medium",
        "passphrase": "backup.lost.passphrase",
        "maintainer": "backup.lost.maintainer",
    }[what]
    session.run(entry, {}, answers_of(given, ()))


@backup.command("restore")
@click.argument("directory", required=False, metavar="SRC")
@click.option("--set", metavar="NUMBER", help="Which of several sets; else the newest.")
@fingerprint_option
@minisign_key_option
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
