"""``pai-signer``: the options that every command shares, and the table of commands.

Only what ``--help`` needs is imported above; the program itself is loaded once a command,
the app or an error wants it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from pai_signer import __version__
from pai_signer.errors import EXIT_DONE
from pai_signer.faces.cli.app_request import AppRequest, WantsApp
from pai_signer.faces.cli.lazy import Later, LazyGroup

_HERE: Final = "pai_signer.faces.cli"

COMMANDS: Final = {
    "backup": Later(
        f"{_HERE}.backup_commands:backup",
        "The custodians' backups of the keys, and the proofs that they work.",
    ),
    "ceremony": Later(
        f"{_HERE}.ceremony_commands:ceremony",
        "The ceremonies that were held, and their transcripts.",
    ),
    "check": Later(
        f"{_HERE}.host_commands:check",
        "Host checks: air gap, clock, swap, entropy, memory, tools.",
    ),
    "help": Later(
        f"{_HERE}.help_command:help_", "Pages to read offline: without a topic, what there is."
    ),
    "init": Later(f"{_HERE}.host_commands:init", "Make a new vault."),
    "journal": Later(
        f"{_HERE}.host_commands:journal", "The workstation's append-only, hash-chained record."
    ),
    "key": Later(f"{_HERE}.key_commands:key", "The keys and their registry."),
    "media": Later(f"{_HERE}.host_commands:media", "Removable media."),
    "rehearse": Later(
        f"{_HERE}.rehearsal:rehearse",
        "Play the whole job on a practice medium with throwaway keys (FACE-5).",
    ),
    "release": Later(f"{_HERE}.release_commands:release", "A release, from import to export."),
    "verify": Later(
        f"{_HERE}.verify_command:verify",
        "Verify a release folder with published keys; needs no vault.",
    ),
}

#: What holds no secret and runs on any machine: there is nothing to close the process for.
FOR_EVERYONE: Final = {"help", "verify"}


@click.group(
    cls=LazyGroup,
    later=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pai-signer")
@click.option(
    "--vault",
    envvar="PAI_SIGNER_VAULT",
    type=click.Path(path_type=Path),
    help="The vault's folder (also PAI_SIGNER_VAULT).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def cli(context: click.Context, vault: Path | None, as_json: bool) -> None:
    """Sign releases on an air-gapped workstation. Without a command: the app."""
    if context.invoked_subcommand in FOR_EVERYONE:
        from pai_signer.faces.cli.anyone import Anyone  # noqa: PLC0415 - see above

        context.obj = Anyone(as_json)
        return
    from pai_signer.faces.cli.session import begin_session  # noqa: PLC0415 - see above

    context.obj = session = begin_session(vault, as_json)
    if context.invoked_subcommand is None:
        raise WantsApp(AppRequest(session.vault))


def run(arguments: Sequence[str]) -> int | AppRequest:
    """Run one command; the exit code, or the request for the app."""
    try:
        result = cli.main(args=list(arguments), prog_name="pai-signer", standalone_mode=False)
    except WantsApp as wanted:
        return wanted.request
    except click.exceptions.Exit as end:
        return end.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told apart there
        from pai_signer.faces.cli.endings import end_with  # noqa: PLC0415 - see above

        return end_with(error, as_json="--json" in arguments)
    return result if isinstance(result, int) else EXIT_DONE
