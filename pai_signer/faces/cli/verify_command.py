"""``verify``, for everyone: no vault, no secret, any machine (VER-1)."""

from pathlib import Path

import click

from pai_signer.composition_public import public_sources, public_verifiers
from pai_signer.faces.cli.anyone import Anyone
from pai_signer.faces.cli.printing import print_outcome
from pai_signer.workflows.engine import Conversation, Session
from pai_signer.workflows.script import MemoryStates, play
from pai_signer.workflows.verify.pins import Pins
from pai_signer.workflows.verify.verify_release import verify_folder


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--keys", required=True, metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    metavar="FPR",
    help="An OpenPGP fingerprint that you know from elsewhere; it has to vouch for this.",
)
@click.option(
    "--minisign-key",
    "minisign_keys",
    multiple=True,
    metavar="RW...",
    help="The same, of a minisign public key.",
)
@click.option(
    "--earlier-index",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A releases.json that you kept: the one beside the keys has to go on from it.",
)
@click.option("--table", is_flag=True, help="Everything that was looked at, line by line.")
@click.pass_obj
def verify(
    anyone: Anyone,
    directory: Path,
    keys: Path,
    fingerprints: tuple[str, ...],
    minisign_keys: tuple[str, ...],
    earlier_index: Path | None,
    *,
    table: bool,
) -> None:
    """Verify a release folder with published keys; needs no vault."""
    workflow = verify_folder(
        public_sources(),
        public_verifiers(),
        str(directory),
        str(keys),
        pins=Pins.of(fingerprints, minisign_keys),
        earlier_index=earlier_index.absolute() if earlier_index else None,
        table=table,
    )
    outcome = play(Conversation(workflow, MemoryStates(), Session()), {}, anyone.prompts)
    print_outcome(outcome, anyone.prompts, json=anyone.json)
