"""The life of a project's keys as one story, told to any hand that can act it out (issues 3, 6).

The short one: generate, release, rotate minisign, release, deprecate the first, extend OpenPGP
twice, rotate OpenPGP, release, compromise of minisign, release, deprecate the third. The long one
is three years: 12 releases, 3 extensions. After every act upon a key or a release one release in
turn, and at the end every one, are judged from published files alone: by ``pai-signer verify`` and
by stock minisign, gpgv and sqv. The index never loses an entry (VER-2).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from pai_signer.domain.release_index import (
    INDEX_NAME,
    ReleaseIndex,
    check_extends,
    listed,
    parse_index,
)
from tests.repository import Repository
from tests.workflows.bench import downloads_copy, rename_release

MANIFEST: Final = "SHA256SUMS"
#: When CI made the artifacts: some day before.
BUILT_AT_S: Final = 1_790_000_000

SHORT_LIFE: Final = (
    "generate",
    "release 0.3.0",
    "rotate minisign",
    "release 0.4.0",
    "deprecate 0.3.0 0.4.0",
    "extend 500",
    "extend 600",
    "rotate gpg",
    "release 0.5.0",
    "compromise minisign",
    "release 0.6.0",
    "deprecate 0.5.0 0.6.0",
)
THREE_YEARS: Final = (
    "generate",
    "release 0.3.0",
    "release 0.3.1",
    "deprecate 0.3.0 0.3.1",
    "rotate minisign",
    "release 0.4.0",
    "release 0.5.0",
    "extend 500",
    "release 0.6.0",
    "release 0.7.0",
    "extend 600",
    "release 0.8.0",
    "rotate gpg",
    "release 0.9.0",
    "release 1.0.0",
    "extend 700",
    "compromise minisign",
    "release 1.1.0",
    "release 1.1.1",
    "deprecate 1.1.0 1.1.1",
    "release 1.2.0",
)


class Hand(Protocol):
    """Acts on one vault: by flags, or by a script of answers."""

    def generate(self) -> None:
        """Make both keys."""

    def release(self, source: Path, version: str, medium: Path) -> None:
        """Import, sign and export one release."""

    def rotate(self, system: str, reason: str, endorse: int) -> None:
        """Put a new key in the place of the active one of ``minisign`` or ``gpg``.

        ``endorse`` is how many releases of a compromised key are to be endorsed.
        """

    def deprecate(self, version: str, replacement: str) -> None:
        """Mark a release as deprecated."""

    def index(self, folder: Path) -> None:
        """Sign the release index and write it beside the published keys."""

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
    #: By version, its replacement.
    deprecated: dict[str, str] = field(default_factory=dict)
    indexes: list[ReleaseIndex] = field(default_factory=list)
    #: Stock tools say the same of the same bytes: what was judged is not judged twice.
    _judged: set[tuple[str, bytes, bytes]] = field(default_factory=set)

    @property
    def public(self) -> Path:
        """The published keys."""
        return self.folder / "public"

    def live(self, acts: Sequence[str]) -> Iterator[str]:
        """Act by act; yields each once it is done and judged. At the end all are judged."""
        self.public.mkdir()
        for n, act in enumerate(acts):
            self.act(*act.split())
            if self.releases and not act.startswith("release"):
                self.hand.publish(self.public)
                self.keep_index()
                self.judge(self.releases[n % len(self.releases)])
            yield act
        self.hand.publish(self.public)
        self.hand.index(self.public)
        self.keep_index()
        for released in self.releases:
            self.judge(released)

    def act(self, verb: str, *words: str) -> None:
        """One act of the tables below."""
        match verb:
            case "generate":
                self.hand.generate()
            case "release":
                self.release(*words)
            case "rotate":
                self.hand.rotate(words[0], "scheduled", 0)
            case "compromise":
                active = self.active(words[0])
                self.hand.rotate(
                    words[0], "compromised", sum(r.minisign == active for r in self.releases)
                )
            case "extend":
                self.hand.extend(int(words[0]))
            case "deprecate":
                version, replacement = (f"v{word}" for word in words)
                self.hand.deprecate(version, replacement)
                self.deprecated[version] = replacement
            case _:
                raise ValueError(verb)

    def keep_index(self) -> None:
        """The published index, if there is one by now, goes on from every earlier one."""
        path = self.public / INDEX_NAME
        if path.exists():
            index = parse_index(path.read_bytes())
            for earlier in self.indexes:
                check_extends(earlier, index, shown_earlier="an earlier one")
            self.indexes.append(index)

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
        replacement = self.deprecated.get(released.version)
        assert ("DEPRECATED" in verdict) is (replacement is not None), verdict
        assert replacement is None or f"DEPRECATED, see {replacement}" in verdict
        self.judge_by_stock_tools(released)

    def judge_by_stock_tools(self, released: Released) -> None:
        """With nothing but the downloaded files and the published key files."""
        public_key = self.public / f"minisign-{released.minisign}.pub"
        certificate = self.public / f"gpg-{released.openpgp}.asc"
        judged = (released.version, public_key.read_bytes(), certificate.read_bytes())
        if judged in self._judged:
            return
        self._judged.add(judged)
        stock("sha256sum", "--strict", "-c", MANIFEST, at=released.folder)
        for name in (MANIFEST, "receipt.json", *(p.name for p in released.folder.glob("*.iso"))):
            stock("minisign", "-Vm", name, "-p", public_key, at=released.folder)
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
    [compromised] = [k["id"] for k in story.hand.registered() if k["state"] == "compromised"]
    assert sum(r.minisign == compromised for r in story.releases) >= 2
    for released in story.releases:
        verdict = story.verdicts[released.version]
        was_signed_with_it = released.minisign == compromised
        assert ("counts for nothing" in verdict) is was_signed_with_it, verdict
        assert ("endorsed by" in verdict) is was_signed_with_it, verdict
    assert len({r.minisign for r in story.releases}) == 3
    assert len({r.openpgp for r in story.releases}) == 2
    listed_releases = listed(story.indexes[-1])
    assert list(listed_releases) == [r.version for r in story.releases]
    found = {v: r.deprecation.replacement for v, r in listed_releases.items() if r.deprecation}
    assert found == story.deprecated
    assert len(found) == 2
    for system in ("minisign", "openpgp"):
        key = story.active(system)
        if system == "minisign":
            public_key = story.public / f"minisign-{key}.pub"
            stock("minisign", "-Vm", INDEX_NAME, "-p", public_key, at=story.public)
        else:
            signed = (f"{INDEX_NAME}.asc", INDEX_NAME)
            stock("sqv", "--keyring", f"gpg-{key}.asc", *signed, at=story.public)
