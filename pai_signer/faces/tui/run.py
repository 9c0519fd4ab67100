"""The app's entry point: ``run_app`` blocks until it is left, and says how it ended."""

import sys
from typing import Final

from pai_signer.composition import font_has_half_blocks
from pai_signer.domain.records import prepare_records
from pai_signer.errors import EXIT_BUG, EXIT_USAGE
from pai_signer.faces.desk import Desk
from pai_signer.faces.tui.app import SignerApp, describe_crash
from pai_signer.faces.tui.environment import look_from

_NO_TERMINAL: Final = (
    "What happened:   the app needs a terminal for its keys and its screen.\n"
    "Unchanged:       nothing was done.\n"
    "What to do next: run it in a terminal, or use the commands: pai-signer --help\n"
    "Code:            FACE-2/terminal\n"
)


def run_app(desk: Desk) -> int:
    """Run the app over ``desk`` and return the exit code.

    However it ends, the secrets are wiped and the desk is closed, after a step
    that was still running has come to its end. A crash prints its kind and its
    place, no value and no local variable (SEC-2).
    """
    try:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            sys.stderr.write(_NO_TERMINAL)
            return EXIT_USAGE
        return _run(desk)
    finally:
        desk.lock()
        desk.close()


def _run(desk: Desk) -> int:
    try:
        prepare_records()  # screens read in threads, more than one at a time
        look = look_from(font_has_half_blocks=font_has_half_blocks(sys.stderr.fileno()))
        app = SignerApp(desk, look)
        app.run(mouse=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, its values stay unprinted
        sys.stderr.write(describe_crash(error))
        return EXIT_BUG
    if app.crash is not None:
        sys.stderr.write(app.crash)
        return EXIT_BUG
    # Textual leaves None where the app was torn down from outside: not a success.
    return EXIT_BUG if app.return_code is None else app.return_code
