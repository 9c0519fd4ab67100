"""How the command line asks for the app, which it never imports itself."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class AppRequest:
    """The command line asks for the app: on a vault, or on a rehearsal's folder."""

    vault: Path
    rehearsal: Path | None = None


class WantsApp(Exception):
    """Raised by a command to end the command line with a request."""

    def __init__(self, request: AppRequest) -> None:
        super().__init__("the app")
        self.request = request
