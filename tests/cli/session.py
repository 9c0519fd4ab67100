"""The installed command line as a user runs it: subprocesses, flags, descriptors, no network."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PHRASES: Final = {"minisign": "seven plain words for minisign", "gpg": "seven other words for gpg"}
WHY: Final = "not in a test"


@dataclass(frozen=True)
class CommandLine:
    """Runs ``pai-signer`` on one vault; ``offline`` takes the network away (unshare(1))."""

    vault: Path
    folder: Path
    offline: bool = True
    phrases: Mapping[str, str] = field(default_factory=lambda: dict(PHRASES))

    def run(
        self, *arguments: str | Path, secrets: Sequence[str] = (), code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end; the exit code has to be ``code``."""
        done = self.attempt(*arguments, secrets=secrets)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def attempt(
        self, *arguments: str | Path, secrets: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run one command, whatever its exit code."""
        command = ["unshare", "-n"] if self.offline else []
        command += [sys.executable, "-m", "pai_signer", "--vault", str(self.vault)]
        command += [str(argument) for argument in arguments]
        pipes = [self._pipe(self.phrases[name]) for name in secrets]
        for name, pipe in zip(secrets, pipes, strict=True):
            command += ["--passphrase-fd", f"{name}={pipe}"]
        try:
            return subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                pass_fds=pipes,
                env={**os.environ, "HOME": str(self.folder), "COLUMNS": "200"},
            )
        finally:
            for pipe in pipes:
                os.close(pipe)

    def json(self, *arguments: str | Path, **options: Any) -> dict[str, Any]:
        """Run one command with ``--json`` and return its one object."""
        done = self.run("--json", *arguments, **options)
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        assert done.stdout.count("\n") == 1
        return found

    def sign(self, version: str, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """``release sign`` with what a test machine cannot have waived."""
        waived = ["--waive", f"POL-7={WHY}"]
        if not self.offline:
            waived += ["--waive", f"POL-9={WHY}"]
        arguments = ["release", "sign", version, "--confirm", version, *waived, *more]
        return self.run(*arguments, secrets=("minisign", "gpg"), code=code)

    @staticmethod
    def _pipe(phrase: str) -> int:
        reader, writer = os.pipe()
        os.write(writer, phrase.encode() + b"\n")
        os.close(writer)
        return reader


def judge(*command: str | Path, folder: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a stock tool that has to accept; returns its output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
