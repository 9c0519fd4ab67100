"""The options that every ceremony of the command line takes, and the answers they give (KEY-1)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from pai_signer.faces.cli import passphrases
from pai_signer.workflows.engine import Answer

F = TypeVar("F", bound=Callable[..., Any])

passphrase_option = click.option(
    "--passphrase-fd",
    "descriptors",
    multiple=True,
    metavar="NAME=FD",
    help=f"Read a passphrase from a descriptor (NAME: {', '.join(passphrases.NAMES)}).",
)

_OPTIONS: Final = (
    click.option("--script", is_flag=True, help="Only print the ceremony's script."),
    click.option("--second", metavar="NAME", help="The second maintainer."),
    click.option("--witness", metavar="NAME", help="The witness."),
    click.option("--despite", metavar="REASON", help="Why to go on despite a precondition."),
    click.option("--clock-first", metavar="TIME", help="UTC by your own clock: 2026-12-31 23:59."),
    click.option("--clock-second", metavar="TIME", help="UTC by the second maintainer's clock."),
    click.option("--verdict", type=click.Choice(["accept", "disagree", "nobody"])),
    click.option("--verdict-reason", metavar="TEXT", help="Why the witness disagrees."),
    passphrase_option,
)


#: What a ceremony asks in which a key may end before its time (KEY-5).
_ENDING: Final = (
    click.option("--certificate", metavar="FILE", help="Compromised: a prepared revocation."),
    click.option("--trusted-until", metavar="TIME", help="Compromised: ours alone until, UTC."),
    click.option("--why", metavar="TEXT", help="Revoked: one line for everybody to read."),
    click.option("--endorse", metavar="N", help="Compromised: how many releases you have read."),
)


def ceremony_options(command: F) -> F:
    """Give ``command`` all of them; ``answers_of`` turns what was given into answers."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def ending_options(command: F) -> F:
    """Give ``command`` what is asked where a key is revoked."""
    for option in reversed(_ENDING):
        command = option(command)
    return command


def answers_of(given: Mapping[str, str | None], descriptors: tuple[str, ...]) -> dict[str, Answer]:
    """Answers by the names of their questions, which the options are named after."""
    answers: dict[str, Answer] = {**passphrases.from_descriptors(descriptors)}
    for name, text in given.items():
        if text is not None:
            answers[name.replace("_", "-")] = text
    return answers
