"""``release``: the main job from flags."""

import sys
from dataclasses import replace

import click

from pai_signer.composition import destinations, font_has_half_blocks, sources
from pai_signer.errors import UsageError
from pai_signer.faces.cli import passphrases
from pai_signer.faces.cli.ceremony_options import answers_of, passphrase_option
from pai_signer.faces.cli.session import CommandSession
from pai_signer.workflows.engine import YES, Answer, Conversation, Session
from pai_signer.workflows.release.collect_codes import collect_codes
from pai_signer.workflows.release.import_questions import DIGEST
from pai_signer.workflows.release.review_release import review_release
from pai_signer.workflows.release.show_qr import ALL
from pai_signer.workflows.release.sign_release import WAIVE
from pai_signer.workflows.script import MemoryStates


@click.group()
def release() -> None:
    """A release, from import to export."""


@release.command("import")
@click.argument("src", required=False)
@click.option("--version", metavar="vX.Y.Z", help="Needed for a bundle alone.")
@click.option("--commit", metavar="REV", help="What to tag; else the bundle's HEAD or the branch.")
@click.option("--second", metavar="SRC", help="A second source of digests (IMP-4).")
@click.option(
    "--digest",
    "digests",
    multiple=True,
    metavar="NAME=SHA256",
    help="A digest of the second source, typed.",
)
@click.pass_obj
def release_import(
    session: CommandSession,
    src: str | None,
    version: str | None,
    commit: str | None,
    second: str | None,
    digests: tuple[str, ...],
) -> None:
    """Read artifacts once, compare their digests, inspect them, take the bundle."""
    if second and digests:
        raise UsageError(
            "IMP-4/second", "Give --second or --digest, not both.", "Choose one second source."
        )
    arguments = {f"{DIGEST}{n}": d for n, d in _pairs(digests, "--digest").items()}
    arguments |= {"directory": src or "", "version": version or ""}
    arguments |= {"commit": commit or "", "second": second or ""}
    session.run("release.import", arguments, {})


@release.command("review")
@click.argument("version")
@click.pass_obj
def release_review(session: CommandSession, version: str) -> None:
    """Print every review page and the results of the rules."""
    with session.workbench() as bench:
        outcome = review_release(bench, version)
    session.finish(outcome)


@release.command("sign")
@click.argument("version")
@click.option("--confirm", metavar="vX.Y.Z", help="The version again: the decision to sign.")
@click.option("--what", type=click.Choice(["tag", "manifest", "all"]), default="all")
@click.option("--waive", "waived", multiple=True, metavar="POL-N=REASON", help="Why it is right.")
@passphrase_option
@click.pass_obj
def release_sign(
    session: CommandSession,
    version: str,
    confirm: str | None,
    what: str,
    waived: tuple[str, ...],
    descriptors: tuple[str, ...],
) -> None:
    """Sign what was imported and is not signed yet; verify it; stage it."""
    arguments = {f"{WAIVE}{name}": why for name, why in _pairs(waived, "--waive").items()}
    arguments |= {"version": version, "what": what}
    answers: dict[str, Answer] = {}
    if confirm is not None:
        # The clock stands on the pages that --confirm says were read.
        answers.update({"confirm": confirm, "clock": YES})
    answers.update(passphrases.from_descriptors(descriptors))
    session.run("release.sign", arguments, answers)


@release.command("export")
@click.argument("version")
@click.argument("dest", required=False)
@click.pass_obj
def release_export(session: CommandSession, version: str, dest: str | None) -> None:
    """Write the signatures to a medium, read them back, unmount it."""
    session.run("release.export", {"version": version, "directory": dest or ""}, {})


@release.command("confirm")
@click.argument("version")
@click.argument("src", required=False)
@click.pass_obj
def release_confirm(session: CommandSession, version: str, src: str | None) -> None:
    """Compare what is live with what was signed, file for file (EXP-5)."""
    session.run("release.confirm", {"version": version, "directory": src or ""}, {})


@release.command("qr")
@click.argument("version", metavar="vX.Y.Z")
@click.option("--file", "file", metavar="NAME", help="This file alone; else all but the receipts.")
@click.option("--part", "parts", metavar="N", help="These parts of it alone, as 3 or 3,7-9.")
@click.option("--invert", is_flag=True, help="Without colours, on a dark-on-light terminal.")
@click.option("--half-blocks", is_flag=True, help="This font has half blocks, whatever TERM says.")
@click.pass_obj
def release_qr(
    session: CommandSession,
    version: str,
    file: str | None,
    parts: str | None,
    invert: bool,
    half_blocks: bool,
) -> None:
    """Show the signatures and the tag as QR codes to scan (EXP-4)."""
    if parts and not file:
        raise UsageError(
            "EXP-4/part-of-what", "--part is of one file.", "Say which: --file NAME --part N"
        )
    codes = session.prompts.codes
    halves = codes.half_blocks or half_blocks or font_has_half_blocks(sys.stderr.fileno())
    session.prompts.codes = replace(codes, inverted=invert, half_blocks=halves)
    answers: dict[str, Answer] = {"file": file or ALL, "parts": parts or ""}
    session.run("release.qr", {"version": version}, answers)


@release.command("collect")
@click.argument("scans", metavar="SCANS")
@click.argument("dest", metavar="DEST")
@click.pass_obj
def release_collect(session: CommandSession, scans: str, dest: str) -> None:
    """Join scanned QR codes into files in DEST; needs no vault (EXP-4)."""
    workflow = collect_codes(sources(), destinations(), scans, dest)
    session.play(Conversation(workflow, MemoryStates(), Session()), {})


@release.command("unsigned")
@click.argument("version", required=False, metavar="vX.Y.Z")
@click.option("--manifest", metavar="FILE", help="Its checksums as they were published.")
@click.option("--reason", metavar="TEXT", help="One line for everybody to read.")
@click.option("--confirm", metavar="vX.Y.Z", help="The version again: it stands for ever.")
@passphrase_option
@click.pass_obj
def release_unsigned(
    session: CommandSession,
    /,
    *,
    version: str | None,
    descriptors: tuple[str, ...],
    **given: str | None,
) -> None:
    """Put into the registry that an old release was published without signatures (KEY-2)."""
    session.run("release.unsigned", {"version": version or ""}, answers_of(given, descriptors))


@release.command("deprecate")
@click.argument("version", required=False, metavar="vX.Y.Z")
@click.argument("dest", required=False)
@click.option("--replacement", metavar="vA.B.C", help="The signed release to take instead.")
@click.option("--reason", metavar="TEXT", help="What is wrong, one line for everybody to read.")
@passphrase_option
@click.pass_obj
def release_deprecate(
    session: CommandSession,
    version: str | None,
    dest: str | None,
    replacement: str | None,
    reason: str | None,
    descriptors: tuple[str, ...],
) -> None:
    """Mark a release as deprecated; sign the notice for its page, and carry it out."""
    answers = passphrases.from_descriptors(descriptors)
    arguments = {"version": version or "", "directory": dest or ""}
    arguments |= {"replacement": replacement or "", "reason": reason or ""}
    session.run("release.deprecate", arguments, answers)


@release.command("index")
@click.argument("directory", required=False, metavar="DIR")
@passphrase_option
@click.pass_obj
def release_index(
    session: CommandSession, directory: str | None, descriptors: tuple[str, ...]
) -> None:
    """Sign the list of all releases, and write it into DIR, such as keys/public."""
    answers = passphrases.from_descriptors(descriptors)
    session.run("release.index", {"directory": directory or ""}, answers)


@release.command("list")
@click.pass_obj
def release_list(session: CommandSession) -> None:
    """List what is imported and what is signed."""
    session.run("release.list", {}, {})


@release.command("show")
@click.argument("version")
@click.pass_obj
def release_show(session: CommandSession, version: str) -> None:
    """Show the receipts of a release."""
    session.run("release.show", {"version": version}, {})


def _pairs(options: tuple[str, ...], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in options:
        name, separator, value = text.partition("=")
        if not separator or not name or not value or name in pairs:
            raise UsageError(
                "FACE-1/option",
                f"{option} wants NAME=VALUE, each name once; got {text!r}.",
                f"For example: {option} POL-7='why this is all right'"
                if option == "--waive"
                else f"For example: {option} NAME=VALUE",
            )
        pairs[name] = value
    return pairs
