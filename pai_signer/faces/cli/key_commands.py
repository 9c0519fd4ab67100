"""``key``: generate, import, list, show, publish."""

import click

from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.registry import Algorithm, RegisteredKey
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
    with session.workbench() as bench:
        registry = bench.registry()
    lines = tuple(
        Line(f"{k.id} {k.state.value}", label=k.algorithm.value, mark=Mark.NONE)
        for k in registry.keys
    )
    page = Page(f"Registry, serial {registry.serial}", lines or (Line("no key yet"),))
    session.print((page,), {"serial": registry.serial, "keys": [_facts(k) for k in registry.keys]})


@key.command("show")
@click.argument("key_id")
@click.pass_obj
def key_show(session: CommandSession, key_id: str) -> None:
    """Show one key: its public part, state and dates."""
    with session.workbench() as bench:
        found = bench.registry().find(key_id)
    openpgp = found.algorithm is Algorithm.OPENPGP
    lines = [
        Line(grouped_fingerprint(found.id) if openpgp else found.id, label="ID"),
        Line(found.state.value, label="state"),
        Line(found.user_id, label="name"),
        Line(f"{found.created_at:%Y-%m-%d}", label="since"),
        Line(f"{found.expires_at:%Y-%m-%d}" if found.expires_at else "never", label="expires"),
        *(Line(line) for line in found.public_key.splitlines()),
    ]
    session.print((Page(f"{found.algorithm.value} key", tuple(lines)),), _facts(found))


@key.command("publish")
@click.argument("directory", required=False, metavar="DIR")
@click.pass_obj
def key_publish(session: CommandSession, directory: str | None) -> None:
    """Write the registry's published form, such as keys/public, into DIR."""
    session.run("key.publish", {"directory": directory or ""}, {})


def _facts(found: RegisteredKey) -> dict[str, str | None]:
    return {
        "algorithm": found.algorithm.value,
        "id": found.id,
        "state": found.state.value,
        "user_id": found.user_id,
        "created_at": found.created_at.isoformat(),
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        "public_key": found.public_key,
    }
