"""Runs the program as people do: a process of its own, with its descriptors and exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
WEAK: Final = (sys.executable, "-m", "tests.cli.weak_program")
STOCK: Final = (sys.executable, "-m", "pai_signer")
NO_NETWORK: Final = ("unshare", "-n")


@dataclass(frozen=True)
class Ended:
    """What a process left."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that it said."""
        return self.stdout + self.stderr

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output; anything else there fails the test."""
        assert self.stdout.count("\n") == 1, self.stdout
        decoded = json.loads(self.stdout)
        assert isinstance(decoded, dict)
        return decoded


@dataclass(frozen=True)
class Program:
    """The program over one vault."""

    vault: Path
    command: tuple[str, ...] = WEAK
    prefix: tuple[str, ...] = NO_NETWORK
    phrases: Mapping[str, bytes] = field(default_factory=dict)

    def __call__(
        self,
        *arguments: str | Path | bytes,
        code: int | None = 0,
        passphrases: bool = False,
        script: str | None = None,
        as_json: bool = False,
        timeout_s: float = 120,
    ) -> Ended:
        """Run one command; ``code`` is what it must end with, None for any.

        ``script`` is given on a pipe as standard input, else there is none.
        """
        options = ["--json"] if as_json else []
        descriptors: list[int] = []
        tail: list[str] = []
        for name, phrase in self.phrases.items() if passphrases else ():
            reader, writer = os.pipe()
            os.write(writer, phrase + b"\n")
            os.close(writer)
            descriptors.append(reader)
            tail += ["--passphrase-fd", f"{name}={reader}"]
        try:
            done = subprocess.run(
                [*self.prefix, *self.command, "--vault", self.vault, *options, *arguments, *tail],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
                input=script.encode() if script is not None else None,
                stdin=None if script is not None else subprocess.DEVNULL,
                capture_output=True,
                pass_fds=descriptors,
                timeout=timeout_s,
                check=False,
                start_new_session=True,  # no controlling terminal: nobody is there to be asked
            )
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        ended = Ended(
            done.returncode,
            done.stdout.decode("utf-8", "surrogateescape"),
            done.stderr.decode("utf-8", "surrogateescape"),
        )
        assert code is None or ended.code == code, ended.text
        return ended


def raw_control_bytes(text: str) -> set[str]:
    """What could move a cursor or hide: control characters but the newline, and what is bidi."""
    return {char for char in text if char != "\n" and not char.isprintable()}
