"""How a run of the command line ends where it does not end well: what is said, which code."""

import sys
import traceback
from pathlib import Path
from typing import Final

import click

from pai_signer.domain.text import safe_text
from pai_signer.errors import (
    EXIT_BUG,
    EXIT_CANCELLED,
    EXIT_USAGE,
    Cancelled,
    SignerError,
    UsageError,
)
from pai_signer.faces import wording
from pai_signer.faces.cli.printing import print_error, print_json

#: The code of a bug, as ``wording.crash_text`` shows it.
CRASH: Final = "SEC-2/crash"


def end_with(error: BaseException, *, as_json: bool) -> int:
    """Say what ended the run; its exit code."""
    match error:
        case SignerError():
            print_error(error, json=as_json)
            return error.exit_code
        case click.ClickException():
            print_error(_usage_error(error), json=as_json)
            return EXIT_USAGE
        case KeyboardInterrupt() | click.Abort():
            print_error(_interrupted(), json=as_json)
            return EXIT_CANCELLED
        case _:  # a bug: its values must not be printed (SEC-2)
            text = describe_bug(error)
            if as_json:
                print_json({"error": {"code": CRASH, "summary": text}, "exit_code": EXIT_BUG})
            sys.stderr.write(text)
            return EXIT_BUG


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
