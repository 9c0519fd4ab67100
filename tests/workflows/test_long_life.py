"""The life of a project's keys, from a script of answers (issues 3 and 6, "Shows")."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pai_signer.composition import sources, verifiers
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import UntrustedKey
from pai_signer.workflows.engine import YES, Answer
from pai_signer.workflows.verify.pins import Pins
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.long_life import THREE_YEARS, Story, check_end
from tests.repository import make_repository
from tests.workflows.bench import PHRASES, ShiftedClock, new_vault, opened, run, secrets

ALGORITHMS = {"minisign": Algorithm.MINISIGN, "gpg": Algorithm.OPENPGP}


@dataclass
class Answers:
    """A ``Hand`` that opens the vault for every act, hours after the one before."""

    vault: Path
    phrases: dict[str, bytes] = field(default_factory=lambda: dict(PHRASES))
    shift: timedelta = timedelta()

    @contextmanager
    def bench(self) -> Iterator[Workbench]:
        with opened(self.vault, clock=ShiftedClock(self.shift)) as bench:
            yield bench

    def secrets(self, **others: bytes) -> dict[str, Answer]:
        return secrets(**{**self.phrases, **others})

    def generate(self) -> None:
        with self.bench() as bench:
            run(bench, "key.generate", self.secrets())

    def release(self, source: Path, version: str, medium: Path) -> None:
        with self.bench() as bench:
            run(bench, "release.import", directory=str(source))
            given: dict[str, str] = {"waive.POL-7": "no custody in a test", "version": version}
            answers = {"clock": YES, "confirm": version, **self.secrets()}
            run(bench, "release.sign", answers, **given)
            run(bench, "release.export", version=version, directory=str(medium))

    def rotate(self, system: str, reason: str, endorse: int) -> None:
        if reason == "compromised":  # "ours alone until" is said to the minute
            self.shift += timedelta(hours=2)
        new = f"weak new {system} phrase after {reason}".encode()
        with self.bench() as bench:
            old = bench.registry().signing_key(ALGORITHMS[system])
            assert old is not None
            until = f"{bench.clock.now() - timedelta(hours=1):%Y-%m-%d %H:%M}"
            answers = {
                "confirm": old.id[-16:],
                "trusted-until": until,
                "why": "the laptop was stolen",
                "endorse": str(endorse),
                **self.secrets(new=new),
            }
            run(bench, f"key.rotate.{system}", answers, reason=reason)
        self.phrases[system] = new

    def deprecate(self, version: str, replacement: str) -> None:
        with self.bench() as bench:
            given = {"version": version, "replacement": replacement, "reason": "does not boot"}
            run(bench, "release.deprecate", self.secrets(), **given)

    def index(self, folder: Path) -> None:
        with self.bench() as bench:
            run(bench, "release.index", self.secrets(), directory=str(folder))

    def extend(self, days: int) -> None:
        with self.bench() as bench:
            wanted = (bench.clock.now() + timedelta(days=days)).date()
            until = good_expiry_day(wanted, AvoidedDays()).isoformat()
            run(bench, "key.extend", {"clock": YES, **self.secrets()}, until=until)

    def publish(self, folder: Path) -> None:
        with self.bench() as bench:
            run(bench, "key.publish", directory=str(folder))

    def registered(self) -> list[dict[str, Any]]:
        with self.bench() as bench:
            return list(run(bench, "key.list").data["keys"])

    def verify(self, release: Path, keys: Path) -> str:
        with self.bench() as bench:
            outcome = run(bench, "verify", directory=str(release), keys=str(keys))
        assert outcome.data["verdict"] == "good"
        return str(outcome.data["text"])


def check_pins(story: Story) -> None:
    """A key that a user has known for years vouches for what it signed, and for nothing later."""
    lines = {
        released.minisign: (story.public / f"minisign-{released.minisign}.pub").read_text()
        for released in story.releases
    }
    first, middle, last = story.releases[0], story.releases[4], story.releases[-1]

    def verified(folder: Path, known: str) -> str:
        pins = Pins.of([], [lines[known].splitlines()[1]])
        request = VerifyRequest(directory=folder, keys=story.public, pins=pins)
        return str(verify_release(request, sources(), verifiers(), Progress()).data["verdict"])

    assert verified(first.folder, last.minisign) == "good", "the key of today vouches for all"
    assert verified(first.folder, first.minisign) == "good", "retired, and it signed this one"
    for folder, known, code in (
        (last.folder, first.minisign, "VER-1/pin-retired"),
        (middle.folder, middle.minisign, "VER-1/pin-compromised"),
    ):
        with pytest.raises(UntrustedKey) as error:
            verified(folder, known)
        assert error.value.code == code


def test_every_release_of_three_years_stays_verifiable(tmp_path: Path) -> None:
    hand = Answers(new_vault(tmp_path / "vault"))
    story = Story(hand, tmp_path, make_repository(tmp_path / "repository", 1))
    assert list(story.live(THREE_YEARS)) == list(THREE_YEARS)
    check_end(story)
    assert len(story.releases) == 12
    check_pins(story)
    with hand.bench() as bench:
        entries = bench.journal.entries()
    assert [e.event for e in entries].count("key.rotated") == 3
