"""The life of a project's keys as one story, told to any hand that can act it out (issue 3).

generate, release, rotate minisign, release, extend OpenPGP twice, rotate OpenPGP, release,
compromise of minisign, release. After every act, every release made so far is judged from
published files alone: by ``pai-signer verify`` and by stock minisign, gpgv and sqv.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from tests.repository import Repository
from tests.workflows.bench import downloads_copy, rename_release

MANIFEST: Final = "SHA256SUMS"
#: When CI made the artifacts: some day before.
BUILT_AT_S: Final = 1_790_000_000


class Hand(Protocol):
    """Acts on one vault: by flags, or by a script of answers."""

    def generate(self) -> None:
        """Make both keys."""

    def release(self, source: Path, version: str, medium: Path) -> None:
        """Import, sign and export one release."""

    def rotate(self, system: str, reason: str) -> None:
        """Put a new key in the place of the active one of ``minisign`` or ``gpg``."""

    def extend(self, days: int) -> None:
        """Let the OpenPGP key live until about so many days from now."""

    def publish(self, folder: Path) -> None:
        """Write the published keys."""

    def registered(self) -> list[dict[str, Any]]:
        """The registry's keys, as ``key list --json`` tells them."""

    def verify(self, release: Path, keys: Path) -> str:
        """The verdict of ``pai-signer verify``; fails the test unless it is good."""


@dataclass(frozen=True)
class Released:
    """One release as users have it, and the keys that signed it."""

    version: str
    folder: Path
    minisign: str
    openpgp: str


@dataclass
class Story:
    """Where everything of one life lies, and what happened in it so far."""

    hand: Hand
    folder: Path
    repository: Repository
    releases: list[Released] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)

    @property
    def public(self) -> Path:
        """The published keys."""
        return self.folder / "public"

    def live(self) -> Iterator[str]:
        """Act by act; yields its name once it is done and everything was judged."""
        hand = self.hand
        acts = (
            ("generate", hand.generate),
            ("first release", lambda: self.release("0.3.0")),
            ("rotate minisign", lambda: hand.rotate("minisign", "scheduled")),
            ("second release", lambda: self.release("0.4.0")),
            ("extend", lambda: hand.extend(500)),
            ("extend again", lambda: hand.extend(600)),
            ("rotate gpg", lambda: hand.rotate("gpg", "scheduled")),
            ("third release", lambda: self.release("0.5.0")),
            ("compromise of minisign", lambda: hand.rotate("minisign", "compromised")),
            ("last release", lambda: self.release("0.6.0")),
        )
        self.public.mkdir()
        for name, act in acts:
            act()
            hand.publish(self.public)
            for released in self.releases:
                self.judge(released)
            yield name

    def release(self, version: str) -> None:
        """A release with other images and another commit than all before."""
        source = downloads_copy(self.folder / f"downloads-{version}")
        rename_release(source, version, mark=version.encode())
        for bundle in source.glob("*.bundle"):
            bundle.unlink()
        self.repository.commit(f"Prepare {version}")
        shutil.move(self.repository.full_bundle(f"{version}.bundle"), source)
        for path in source.iterdir():  # a hand may live some minutes before now
            os.utime(path, (BUILT_AT_S, BUILT_AT_S))
        medium = self.folder / f"medium-{version}"
        medium.mkdir()
        self.hand.release(source, f"v{version}", medium)
        download = medium / f"pai-v{version}"
        shutil.rmtree(download / "keys")  # the published keys alone have to do
        for image in source.glob("*.iso"):
            shutil.copy(image, download)
        self.releases.append(
            Released(f"v{version}", download, self.active("minisign"), self.active("openpgp"))
        )

    def active(self, algorithm: str) -> str:
        """The ID of the key that signs."""
        [key] = [
            key
            for key in self.hand.registered()
            if (key["algorithm"], key["state"]) == (algorithm, "active")
        ]
        return str(key["id"])

    def judge(self, released: Released) -> None:
        """By us and by stock tools, with the published files alone."""
        verdict = self.hand.verify(released.folder, self.public)
        self.verdicts[released.version] = verdict
        assert f"PAI {released.version}: 2 of 2 files match" in verdict
        stock("sha256sum", "--strict", "-c", MANIFEST, at=released.folder)
        public_key = self.public / f"minisign-{released.minisign}.pub"
        for name in (MANIFEST, "receipt.json", *(p.name for p in released.folder.glob("*.iso"))):
            stock("minisign", "-Vm", name, "-p", public_key, at=released.folder)
        certificate = self.public / f"gpg-{released.openpgp}.asc"
        ring = released.folder / "ring.gpg"
        ring.unlink(missing_ok=True)
        stock("gpg", "--output", ring, "--dearmor", certificate, at=released.folder)
        signed = (f"{MANIFEST}.asc", MANIFEST)
        stock("gpgv", "--keyring", ring, *signed, at=released.folder)
        told = stock("sqv", "--keyring", certificate, *signed, at=released.folder)
        assert re.search(r"\b[0-9A-F]{40}\b", told)
        ring.unlink()


def stock(*command: str | Path, at: Path) -> str:
    """A stock tool that has to accept; what it said."""
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout + done.stderr


def check_end(story: Story) -> None:
    """What the whole life has to leave behind."""
    states = [(key["algorithm"], key["state"]) for key in story.hand.registered()]
    assert sorted(states) == [
        ("minisign", "active"),
        ("minisign", "compromised"),
        ("minisign", "retired"),
        ("openpgp", "active"),
        ("openpgp", "retired"),
    ]
    compromised = story.releases[1].minisign
    assert compromised == story.releases[2].minisign
    for released in story.releases:
        verdict = story.verdicts[released.version]
        was_signed_with_it = released.minisign == compromised
        assert ("counts for nothing" in verdict) is was_signed_with_it, verdict
        assert ("endorsed by" in verdict) is was_signed_with_it, verdict
    assert len({r.minisign for r in story.releases}) == 3
    assert len({r.openpgp for r in story.releases}) == 2
