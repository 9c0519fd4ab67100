"""The app's entry point: ``run_app`` blocks until it is left, and says how it ended."""

import sys

from pai_signer.errors import EXIT_BUG
from pai_signer.faces.desk import Desk
from pai_signer.faces.tui.app import SignerApp, describe_crash
from pai_signer.faces.tui.environment import look_from


def run_app(desk: Desk) -> int:
    """Run the app over ``desk`` and return the exit code.

    However it ends, the secrets are wiped and the desk is closed, after a step
    that was still running has come to its end. A crash prints its kind and its
    place, no value and no local variable (SEC-2).
    """
    crash: str | None
    code: int | None
    try:
        app = SignerApp(desk, look_from())
        app.run(mouse=False)
        crash, code = app.crash, app.return_code
    except Exception as error:  # noqa: BLE001 - whatever it is, its values stay unprinted
        crash, code = describe_crash(error), EXIT_BUG
    finally:
        desk.lock()
        desk.close()
    if crash is not None:
        sys.stderr.write(crash)
        return EXIT_BUG
    # Textual leaves None where the app was torn down from outside: not a success.
    return EXIT_BUG if code is None else code
