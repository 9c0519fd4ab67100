"""``init``, ``check``, ``media`` and ``journal``."""

from pathlib import Path

import click

from pai_signer.composition import built_in_profile, make_vault
from pai_signer.domain.page import Line, Page
from pai_signer.domain.profile import MAX_PROFILE_BYTES
from pai_signer.errors import UsageError
from pai_signer.faces import wording
from pai_signer.faces.cli.session import CommandSession
from pai_signer.faces.journal_text import journal_line
from pai_signer.workflows import catalogue
from pai_signer.workflows.create_vault import create_vault
from pai_signer.workflows.engine import Conversation, Session
from pai_signer.workflows.overview import check_pages
from pai_signer.workflows.script import MemoryStates


@click.command()
@click.option("--profile", type=click.Path(path_type=Path), help="A project's profile (TOML).")
@click.option("--maintainer", help="Your name, as it will stand in the tags.")
@click.option("--email", help="Your email address.")
@click.pass_obj
def init(
    session: CommandSession, profile: Path | None, maintainer: str | None, email: str | None
) -> None:
    """Make a new vault."""
    toml = _profile_bytes(profile)
    answers = {
        name: value for name, value in (("maintainer", maintainer), ("email", email)) if value
    }
    workflow = create_vault(
        str(session.vault), lambda name, address: make_vault(session.vault, toml, name, address)
    )
    session.play(Conversation(workflow, MemoryStates(), Session()), answers)


def _profile_bytes(path: Path | None) -> bytes:
    if path is None:
        return built_in_profile()
    try:
        with path.open("rb") as file:
            return file.read(MAX_PROFILE_BYTES + 1)  # parsing refuses what is longer
    except OSError as error:
        raise UsageError(
            "PROFILE/unreadable",
            f"The profile {str(path)!r} cannot be read: {error.strerror}.",
            "Give the path of a TOML file; profiles/pai.toml of this program is an example.",
            unchanged="No vault was made.",
        ) from error


@click.command()
@click.pass_obj
def check(session: CommandSession) -> None:
    """Host checks: air gap, clock, swap, entropy, memory, tools."""
    with session.workbench() as bench:
        pages = check_pages(bench)
    lines = [line for page in pages for line in page.lines]
    data = {"checks": [{"name": x.label, "text": x.text, "result": x.mark.value} for x in lines]}
    session.print(pages, data)


@click.group()
def media() -> None:
    """Removable media."""


@media.command("list")
@click.pass_obj
def media_list(session: CommandSession) -> None:
    """List removable media as the kernel sees them."""
    with session.workbench() as bench:
        found = bench.media.list()
    data = {
        "media": [
            {
                "device": m.device,
                "label": m.label,
                "filesystem": m.filesystem,
                "size_bytes": m.size_bytes,
                "serial": m.serial,
                "uuid": m.uuid,
                "read_only": m.read_only,
                "mounted_at": str(m.mounted_at) if m.mounted_at else None,
            }
            for m in found
        ]
    }
    session.print((wording.media_page(found),), data)


@click.group()
def journal() -> None:
    """The workstation's append-only, hash-chained record."""


@journal.command("show")
@click.pass_obj
def journal_show(session: CommandSession) -> None:
    """Print every entry; the chain is checked first."""
    with session.workbench() as bench:
        entries = bench.journal.entries()
    lines = tuple(
        Line(f"{line.event}  {line.text}", label=f"{line.number} {line.time}")
        for line in map(journal_line, entries)
    )
    data = {
        "entries": [
            {"n": e.n, "at": e.at, "event": e.event, "facts": e.facts, "hash": e.hash}
            for e in entries
        ]
    }
    session.print((Page("Journal", lines),), data)


@journal.command("verify")
@click.option("--receipt", default="", help="A published receipt.json, signatures beside it.")
@click.option("--head", default="", help="A head from paper: 'NUMBER: WORDS' or 'NUMBER: HASH'.")
@click.pass_obj
def journal_verify(session: CommandSession, receipt: str, head: str) -> None:
    """Check the whole chain; says where it breaks, and whether it was rolled back (exit code 4)."""
    given = {"receipt": receipt, "head": head}
    with session.workbench() as bench:
        session.play(catalogue.begin(bench, "journal.verify", given), {})


@journal.command("export")
@click.argument("dest", required=False)
@click.pass_obj
def journal_export(session: CommandSession, dest: str | None) -> None:
    """Write a copy of the journal to a medium."""
    session.run("journal.export", {"directory": dest or ""}, {})
