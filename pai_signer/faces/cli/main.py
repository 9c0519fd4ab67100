"""``pai-signer``: the options that every command shares, exit codes, and how errors end."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from pai_signer import __version__
from pai_signer.composition import default_vault, harden_process
from pai_signer.domain.text import safe_text
from pai_signer.errors import (
    EXIT_BUG,
    EXIT_CANCELLED,
    EXIT_DONE,
    EXIT_USAGE,
    Cancelled,
    SignerError,
    UsageError,
)
from pai_signer.faces import wording
from pai_signer.faces.cli import host_commands, key_commands, release_commands
from pai_signer.faces.cli.rehearsal import rehearsal_folder, rehearse_headless
from pai_signer.faces.cli.session import CommandSession, print_error, print_json

#: The code of a bug, as ``wording.crash_text`` shows it.
CRASH: Final = "SEC-2/crash"


@dataclass(frozen=True)
class AppRequest:
    """The command line asks for the app: on a vault, or on a rehearsal's folder."""

    vault: Path
    rehearsal: Path | None = None


class _WantsApp(Exception):
    def __init__(self, request: AppRequest) -> None:
        super().__init__("the app")
        self.request = request


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="pai-signer")
@click.option(
    "--vault",
    envvar="PAI_SIGNER_VAULT",
    type=click.Path(path_type=Path),
    default=default_vault,
    help="The vault's folder (also PAI_SIGNER_VAULT).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_context
def cli(context: click.Context, vault: Path, as_json: bool) -> None:
    """Sign releases on an air-gapped workstation. Without a command: the app."""
    context.obj = CommandSession(vault, as_json)
    if context.invoked_subcommand is None:
        raise _WantsApp(AppRequest(vault))


@cli.command()
@click.option("--headless", is_flag=True, help="Play the whole job without the app.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where to keep everything."
)
@click.pass_obj
def rehearse(session: CommandSession, headless: bool, directory: Path | None) -> None:
    """Play the whole job on a practice medium with throwaway keys (FACE-5)."""
    folder = rehearsal_folder(directory)
    if not headless:
        raise _WantsApp(AppRequest(session.vault, folder))
    rehearse_headless(session, folder)


for _group in (release_commands.release, key_commands.key, host_commands.media):
    cli.add_command(_group)
for _command in (
    host_commands.init,
    host_commands.check,
    host_commands.journal,
    release_commands.verify,
):
    cli.add_command(_command)


def run(arguments: Sequence[str]) -> int | AppRequest:
    """Run one command; the exit code, or the request for the app."""
    harden_process()
    as_json = "--json" in arguments
    try:
        result = cli.main(args=list(arguments), prog_name="pai-signer", standalone_mode=False)
    except _WantsApp as wanted:
        return wanted.request
    except SignerError as error:
        print_error(error, json=as_json)
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        print_error(_usage_error(error), json=as_json)
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        print_error(_interrupted(), json=as_json)
        return EXIT_CANCELLED
    except Exception as error:  # noqa: BLE001 - a bug: its values must not be printed (SEC-2)
        text = describe_bug(error)
        if as_json:
            print_json({"error": {"code": CRASH, "summary": text}, "exit_code": EXIT_BUG})
        sys.stderr.write(text)
        return EXIT_BUG
    return result if isinstance(result, int) else EXIT_DONE


def _usage_error(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "pai-signer"
    return UsageError(
        "FACE-1/usage",
        safe_text(error.format_message(), limit=500),
        f"See: {command} --help",
        unchanged="Nothing was done.",
    )


def _interrupted() -> Cancelled:
    return Cancelled(
        "FACE-3/interrupted",
        "The program was interrupted.",
        "Start the same command again when you are ready; it goes on where it stopped.",
        unchanged="Finished steps are kept; the step that was running was taken back, or is "
        "settled at the next start.",
    )


def describe_bug(error: BaseException) -> str:
    """Kind and place of an unexpected exception, without any value of it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
    return wording.crash_text(type(error).__name__, place)
