"""``python -m pai_signer`` and the installed ``pai-signer`` start here.

The one place that knows both faces: the command line runs first and may ask
for the app. Whatever else is imported finds a clean environment (SEC-2).
"""

import sys

from pai_signer.adapters.binding import begin_bound
from pai_signer.adapters.environment import forget_environment


def main() -> None:
    """Run a command, or the app, and end with its exit code."""
    begin_bound()
    # A shell that asks for completions gives no argument: its words stand in a variable.
    forget_environment(may_complete=len(sys.argv) == 1)
    from pai_signer.faces.cli.app_request import AppRequest  # noqa: PLC0415 - cleaned first
    from pai_signer.faces.cli.main import run  # noqa: PLC0415 - cleaned first

    result = run(sys.argv[1:])
    if isinstance(result, AppRequest):
        from pai_signer.faces.start_app import start_app  # noqa: PLC0415 - textual only where wanted

        result = start_app(result.vault, result.rehearsal)
    sys.exit(result)


if __name__ == "__main__":
    main()
