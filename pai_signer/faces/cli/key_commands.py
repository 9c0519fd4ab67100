"""``key``: generate, import, list, show, extend, rotate, revoke, drill, publish."""

import click

from pai_signer.errors import UsageError
from pai_signer.faces.cli import passphrases
from pai_signer.faces.cli.backup_options import backup_answers
from pai_signer.faces.cli.ceremony_options import (
    answers_of,
    ceremony_options,
    ending_options,
    passphrase_option,
)
from pai_signer.faces.cli.session import CommandSession

compare_minisign = click.option(
    "--compare-minisign",
    metavar="TEXT",
    help="The minisign public key's digits or words, as heard.",
)
compare_gpg = click.option(
    "--compare-gpg", metavar="TEXT", help="The OpenPGP fingerprint's digits or words, as heard."
)


@click.group()
def key() -> None:
    """The keys and their registry."""


@key.command("generate")
@click.option("--only", type=click.Choice(["minisign", "gpg"]), help="One of the two.")
@compare_minisign
@compare_gpg
@ceremony_options
@click.pass_obj
def key_generate(
    session: CommandSession,
    /,
    *,
    only: str | None,
    script: bool,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Make the signing keys at stock strength and register them, in a ceremony (KEY-1)."""
    entry = "key.generate.script" if script else "key.generate"
    session.run(entry, {"only": only or ""}, {} if script else answers_of(given, descriptors))


@key.command("import")
@click.option("--minisign", "minisign_file", metavar="FILE", help="A minisign secret key file.")
@click.option("--gpg", "gpg_file", metavar="FILE", help="An exported OpenPGP secret key.")
@compare_minisign
@compare_gpg
@ceremony_options
@click.pass_obj
def key_import(
    session: CommandSession,
    /,
    *,
    minisign_file: str | None,
    gpg_file: str | None,
    script: bool,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Take in an existing secret key, prove it, and register it, in a ceremony (KEY-1)."""
    if script:
        session.run("key.import.script", {"system": "gpg" if gpg_file else "minisign"}, {})
        return
    if (minisign_file is None) == (gpg_file is None):
        raise UsageError(
            "KEY-1/which",
            "Import one key at a time.",
            "Give --minisign FILE or --gpg FILE.",
            unchanged="Nothing was changed.",
        )
    answers = answers_of(given, descriptors)
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


@key.command("rotate")
@click.argument("system", type=click.Choice(["minisign", "gpg"]))
@click.option(
    "--reason",
    type=click.Choice(["scheduled", "compromised"]),
    default="scheduled",
    help="Why.",
)
@ending_options
@click.option("--compare", metavar="TEXT", help="The new key's digits or words, as heard.")
@click.option(
    "--backup",
    "backups",
    multiple=True,
    metavar="NAME=DEST",
    help="A custodian who takes the new key onto the medium DEST before it is in use.",
)
@click.option("--no-backup", metavar="REASON", help="Why it comes into use without its backups.")
@click.option(
    "--confirm",
    metavar="KEYID",
    help="The ID of the key that ends; of a fingerprint the last 16 digits.",
)
@ceremony_options
@click.pass_obj
def key_rotate(
    session: CommandSession,
    /,
    *,
    system: str,
    reason: str,
    certificate: str | None,
    backups: tuple[str, ...],
    no_backup: str | None,
    script: bool,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Put a new key in the place of the one in use, in a ceremony (KEY-3, KEY-4, KEY-5)."""
    entry, script_entry = {
        "minisign": ("key.rotate.minisign", "key.rotate.minisign.script"),
        "gpg": ("key.rotate.gpg", "key.rotate.gpg.script"),
    }[system]
    if script:
        session.run(script_entry, {"reason": reason}, {})
        return
    answers = {**answers_of(given, descriptors), **backup_answers(backups, no_backup)}
    session.run(entry, {"reason": reason, "certificate": certificate or ""}, answers)


@key.command("revoke")
@click.argument("key_id", required=False, metavar="ID")
@click.option("--reason", type=click.Choice(["compromised", "superseded", "retired"]), help="Why.")
@ending_options
@click.option("--confirm", metavar="KEYID", help="The ID of the key that is revoked.")
@ceremony_options
@click.pass_obj
def key_revoke(
    session: CommandSession,
    /,
    *,
    key_id: str | None,
    reason: str | None,
    certificate: str | None,
    script: bool,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Revoke a key for ever, in a ceremony, and say what stays good (KEY-5)."""
    if script:
        session.run("key.revoke.script", {}, {})
        return
    answers = answers_of(given, descriptors)
    arguments = {"id": key_id or "", "reason": reason or "", "certificate": certificate or ""}
    session.run("key.revoke", arguments, answers)


@key.command("drill")
@click.argument("directory", required=False, metavar="DEST")
@click.pass_obj
def key_drill(session: CommandSession, directory: str | None) -> None:
    """Show what to do if a key is compromised, and write it to DEST, to be printed."""
    session.run("key.drill", {"directory": directory or ""}, {})


@key.command("revocations")
@click.argument("directory", required=False, metavar="DEST")
@click.pass_obj
def key_revocations(session: CommandSession, directory: str | None) -> None:
    """Write the revocation certificates made with the keys to a medium apart from backups."""
    session.run("key.revocations", {"directory": directory or ""}, {})


@key.command("publish")
@click.argument("directory", required=False, metavar="DIR")
@click.pass_obj
def key_publish(session: CommandSession, directory: str | None) -> None:
    """Write the registry's published form, such as keys/public, into DIR."""
    session.run("key.publish", {"directory": directory or ""}, {})
