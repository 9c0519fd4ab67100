"""The life of a project's keys, from flags, under a clock that goes on (issues 3 and 6)."""

import dataclasses
import shutil
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from tests.cli.program import NO_NETWORK, Ended, Program
from tests.long_life import SHORT_LIFE, Story, check_end
from tests.repository import make_repository
from tests.workflows.bench import PHRASES

#: Every act is so long after the one before; the last ones are before now, for stock tools.
BETWEEN_ACTS = timedelta(minutes=3)
BEGIN = timedelta(minutes=-45)

pytestmark = pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is missing")


@dataclass
class Flags:
    """A ``Hand`` that runs the program once for every command."""

    vault: Path
    phrases: dict[str, bytes] = field(default_factory=lambda: dict(PHRASES))
    shift: timedelta = BEGIN

    def __call__(self, *arguments: str | Path, **options: Any) -> Ended:
        program = Program(
            self.vault,
            command=(sys.executable, "-m", "tests.cli.clocked_program"),
            prefix=(*NO_NETWORK, "faketime", "-f", f"{self.shift.total_seconds():+.0f}s"),
            phrases=self.phrases,
        )
        return program(*arguments, **options)

    def next_act(self) -> None:
        self.shift += BETWEEN_ACTS

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    def generate(self) -> None:
        self("init", "--maintainer", "Mia Maintainer", "--email", "mia@example.org")
        self("key", "generate", passphrases=True)

    def release(self, source: Path, version: str, medium: Path) -> None:
        self.next_act()
        self("release", "import", source)
        waiver = ("--waive", "POL-7=no custody in a test")
        self("release", "sign", version, "--confirm", version, *waiver, passphrases=True)
        self("release", "export", version, medium)

    def rotate(self, system: str, reason: str, endorse: int) -> None:
        self.next_act()
        algorithm = {"minisign": "minisign", "gpg": "openpgp"}[system]
        [old] = [
            key["id"]
            for key in self.registered()
            if (key["algorithm"], key["state"]) == (algorithm, "active")
        ]
        options = ["--reason", reason, "--confirm", old[-16:]]
        if reason == "compromised":
            until = f"{self.now() - timedelta(minutes=1):%Y-%m-%d %H:%M}"
            options += [
                "--trusted-until",
                until,
                "--why",
                "laptop stolen",
                "--endorse",
                str(endorse),
            ]
        new = f"weak new {system} phrase after {reason}".encode()
        program = dataclasses.replace(self, phrases={**self.phrases, "new": new})
        program("key", "rotate", system, *options, passphrases=True)
        self.phrases[system] = new

    def deprecate(self, version: str, replacement: str) -> None:
        self.next_act()
        options = ("--replacement", replacement, "--reason", "does not boot")
        self("release", "deprecate", version, *options, passphrases=True)

    def index(self, folder: Path) -> None:
        self.next_act()
        self("release", "index", folder, passphrases=True)

    def extend(self, days: int) -> None:
        self.next_act()
        wanted = (self.now() + timedelta(days=days)).date()
        until = good_expiry_day(wanted, AvoidedDays()).isoformat()
        self("key", "extend", "--until", until, passphrases=True, script="1\n")

    def publish(self, folder: Path) -> None:
        self("key", "publish", folder)

    def registered(self) -> list[dict[str, Any]]:
        return list(self("key", "list", as_json=True).json["keys"])

    def verify(self, release: Path, keys: Path) -> str:
        return str(self("verify", release, "--keys", keys, as_json=True).json["text"])


def test_every_release_stays_verifiable_through_the_whole_life(tmp_path: Path) -> None:
    story = Story(Flags(tmp_path / "vault"), tmp_path, make_repository(tmp_path / "repository", 1))
    assert list(story.live(SHORT_LIFE)) == list(SHORT_LIFE)
    check_end(story)
