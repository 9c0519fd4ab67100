"""What one ceremony left has to stand after the next one: nothing gets stuck (KEY-3 to KEY-5)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from pai_signer.composition import sources, verifiers
from pai_signer.domain.progress import Progress
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import PHRASES, ShiftedClock, opened, run, secrets, signed_vault
from tests.workflows.bench import published as published_release
from tests.workflows.compromise import HOURS_LATER, minisign, openpgp, revoke

NEWER: Final = {"minisign": b"weak second minisign phrase", "gpg": b"weak second gpg phrase"}


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock(HOURS_LATER)


@pytest.fixture
def signed(tmp_path: Path, clock: ShiftedClock) -> Iterator[Workbench]:
    with opened(signed_vault(tmp_path / "vault"), clock=clock) as bench:
        yield bench


def rotate_minisign(bench: Workbench, **phrases: bytes) -> None:
    answers = {"confirm": minisign(bench), **secrets(new=NEWER["minisign"], **phrases)}
    run(bench, "key.rotate.minisign", answers)


def rotate_gpg(bench: Workbench, **phrases: bytes) -> None:
    answers = {"confirm": openpgp(bench)[-16:], **secrets(new=NEWER["gpg"], **phrases)}
    run(bench, "key.rotate.gpg", answers)


def published(bench: Workbench, to: Path) -> Path:
    to.mkdir()
    run(bench, "key.publish", directory=str(to))
    return to


def verdict(release: Path, keys: Path) -> str:
    request = VerifyRequest(directory=release, keys=keys)
    return str(verify_release(request, sources(), verifiers(), Progress()).data["verdict"])


def test_a_superseded_and_revoked_key_blocks_neither_publishing_nor_its_old_release(
    signed: Workbench, tmp_path: Path
) -> None:
    """Its signature stands on the statement of an earlier rotation of the other system."""
    release, old = published_release(tmp_path / "release"), openpgp(signed)
    rotate_minisign(signed)
    rotate_gpg(signed, minisign=NEWER["minisign"])
    revoke(signed, old, "superseded", **secrets(**NEWER, revoked=PHRASES["gpg"]))
    keys = published(signed, tmp_path / "keys")
    assert len(list(keys.glob("transition-*.txt"))) == 2
    assert verdict(release, keys) == "good"


@pytest.mark.parametrize("system", ["gpg", "minisign"])
def test_a_compromised_key_blocks_neither_publishing_nor_the_releases_that_were_endorsed(
    signed: Workbench, clock: ShiftedClock, tmp_path: Path, system: str
) -> None:
    release = published_release(tmp_path / "release")
    rotate_minisign(signed)
    clock.shift += HOURS_LATER  # the new key has to be older than the last moment of trust
    signers = {"minisign": NEWER["minisign"]}
    leaked = openpgp(signed) if system == "gpg" else minisign(signed)
    endorsed = "1" if system == "gpg" else "0"  # the new minisign key signed no release yet
    given = secrets(**signers, revoked=PHRASES["gpg"])
    revoke(signed, leaked, "compromised", endorse=endorsed, **given)
    keys = published(signed, tmp_path / "keys")
    assert verdict(release, keys) == "good"
