"""``key``: generate, import, list, show, extend, publish."""

import click

from pai_signer.errors import UsageError
from pai_signer.faces.cli import passphrases
from pai_signer.faces.cli.session import CommandSession

passphrase_option = click.option(
    "--passphrase-fd",
    "descriptors",
    multiple=True,
    metavar="NAME=FD",
    help="Read a passphrase from a descriptor (NAME: minisign, gpg, new, custodian).",
)


@click.group()
def key() -> None:
    """The keys and their registry."""


@key.command("generate")
@click.option("--only", type=click.Choice(["minisign", "gpg"]), help="One of the two.")
@passphrase_option
@click.pass_obj
def key_generate(session: CommandSession, only: str | None, descriptors: tuple[str, ...]) -> None:
    """Make the signing keys at stock strength and register them."""
    answers = passphrases.from_descriptors(descriptors)
    session.run("key.generate", {"only": only or ""}, answers)


@key.command("import")
@click.option("--minisign", "minisign_file", metavar="FILE", help="A minisign secret key file.")
@click.option("--gpg", "gpg_file", metavar="FILE", help="An exported OpenPGP secret key.")
@passphrase_option
@click.pass_obj
def key_import(
    session: CommandSession,
    minisign_file: str | None,
    gpg_file: str | None,
    descriptors: tuple[str, ...],
) -> None:
    """Take in an existing secret key, prove it, and register it."""
    if (minisign_file is None) == (gpg_file is None):
        raise UsageError(
            "KEY-1/which",
            "Import one key at a time.",
            "Give --minisign FILE or --gpg FILE.",
            unchanged="Nothing was changed.",
        )
    answers = passphrases.from_descriptors(descriptors)
    entry = "key.import.minisign" if minisign_file else "key.import.gpg"
    session.run(entry, {"file": minisign_file or gpg_file or ""}, answers)


@key.command("list")
@click.pass_obj
def key_list(session: CommandSession) -> None:
    """List every key of the registry."""
    session.run("key.list", {}, {})


@key.command("show")
@click.argument("key_id")
@click.pass_obj
def key_show(session: CommandSession, key_id: str) -> None:
    """Show one key: its public part, state and dates."""
    session.run("key.show", {"id": key_id}, {})


@key.command("extend")
@click.option("--until", metavar="YYYY-MM-DD", help="The new expiry; proposed if not given.")
@passphrase_option
@click.pass_obj
def key_extend(session: CommandSession, until: str | None, descriptors: tuple[str, ...]) -> None:
    """Extend the expiry of the OpenPGP key and register its merged certificate."""
    answers = passphrases.from_descriptors(descriptors)
    session.run("key.extend", {"until": until or ""}, answers)


@key.command("publish")
@click.argument("directory", required=False, metavar="DIR")
@click.pass_obj
def key_publish(session: CommandSession, directory: str | None) -> None:
    """Write the registry's published form, such as keys/public, into DIR."""
    session.run("key.publish", {"directory": directory or ""}, {})
