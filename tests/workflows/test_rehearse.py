"""The rehearsal plays the real job, and nothing of it passes for real (FACE-5)."""

import subprocess
from pathlib import Path

import pytest

from pai_signer.composition import (
    built_in_profile,
    make_vault,
    open_rehearsal,
    prepare_rehearsal,
    rehearsal_plan,
    sources,
    verifiers,
)
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import KeyState
from pai_signer.errors import SignerError, UntrustedKey, UsageError
from pai_signer.workflows import rehearse as module
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.rehearse import rehearse
from pai_signer.workflows.rehearse_ceremonies import rehearse_ceremonies
from pai_signer.workflows.verify.verify_release import VerifyRequest, verify_release
from tests.keys import WEAK_SCRYPT_LIMITS
from tests.workflows.bench import Silent, events


def play_it(folder: Path, speaker: Silent | None = None) -> tuple[Outcome, list[str]]:
    assert prepare_rehearsal(folder)
    with open_rehearsal(folder, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        outcome = rehearse(bench, rehearsal_plan(bench, folder), speaker or Silent())
        return outcome, events(bench)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, list[str]]:
    folder = tmp_path_factory.mktemp("rehearsal") / "here"
    outcome, journal = play_it(folder)
    return Path(outcome.data["folder"]), outcome, journal


def test_nobody_rehearses_in_a_real_vault(tmp_path: Path) -> None:
    make_vault(tmp_path / "vault", built_in_profile(), "Ada Maintainer", "ada@example.org")
    assert not prepare_rehearsal(tmp_path)
    with pytest.raises(UsageError) as error:
        open_rehearsal(tmp_path)
    assert error.value.code == "FACE-5/real-vault"


def test_it_plays_the_whole_job(played: tuple[Path, Outcome, list[str]]) -> None:
    _, outcome, journal = played
    assert outcome.data["rehearsal"] is True
    assert outcome.data["verdict"] == "good"
    assert journal == [
        "vault.created",
        "key.generated",
        "ceremony.ended",
        "release.imported",
        "release.signing",
        "release.signed",
        "release.exported",
    ]


def test_stock_tools_accept_what_it_made(played: tuple[Path, Outcome, list[str]]) -> None:
    folder, _, _ = played
    for command in (
        ["sha256sum", "--strict", "-c", "SHA256SUMS"],
        ["minisign", "-Vm", "SHA256SUMS", "-p", "keys/minisign.pub"],
        ["minisign", "-Vm", "pai-0.2.0-amd64.iso", "-p", "keys/minisign.pub"],
        [
            "sqv",
            "--keyring",
            *map(str, folder.glob("keys/gpg-*.asc")),
            "SHA256SUMS.asc",
            "SHA256SUMS",
        ],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_production_verification_rejects_it(played: tuple[Path, Outcome, list[str]]) -> None:
    folder, outcome, _ = played
    request = VerifyRequest(directory=folder, keys=folder / "keys")
    with pytest.raises(UntrustedKey) as error:
        verify_release(request, sources(), verifiers(), Progress())
    assert error.value.code == "FACE-5/rehearsal"
    assert any("rejected, as it must be" in line.text for line in outcome.pages[0].lines)


def test_every_signed_thing_says_rehearsal(played: tuple[Path, Outcome, list[str]]) -> None:
    folder, _, _ = played
    for name in ("receipt.txt", "UPLOAD.md", *(p.name for p in folder.glob("*.minisig"))):
        assert "REHEARSAL" in (folder / name).read_text(), name


def test_a_production_verification_that_accepts_is_a_bug_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.verify_practice
    monkeypatch.setattr(
        module,
        "verify_practice",
        lambda bench, folder, *, accept_rehearsal: real(bench, folder, accept_rehearsal=True),
    )
    with pytest.raises(SignerError) as error:
        play_it(tmp_path / "here")
    assert error.value.code == "FACE-5/accepted"


def test_a_folder_with_a_rehearsal_in_it_is_not_begun_again(tmp_path: Path) -> None:
    assert prepare_rehearsal(tmp_path / "here")
    assert not prepare_rehearsal(tmp_path / "here")


def test_every_ceremony_is_rehearsed_and_the_release_stays_good(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    assert prepare_rehearsal(folder)
    with open_rehearsal(folder, limits=WEAK_SCRYPT_LIMITS) as (bench, _):
        plan = rehearsal_plan(bench, folder)
        outcome = rehearse_ceremonies(bench, plan, Silent())
        journal = events(bench)
        states = [(key.state, key.life) for key in bench.registry().keys]
        transcripts = [bench.ceremonies.load(name) for name in bench.ceremonies.names()]
    # Two custodians held the keys: nobody had to waive that (POL-7), to the very end.
    assert "POL-7" not in outcome.data["waived"]
    assert [key["enough"] for key in outcome.data["custody"]] == [True, True]
    assert {"backup.created", "attestation.made"} <= set(journal)
    verdicts = outcome.data["ceremonies"]
    assert len(verdicts) == 6
    assert all(text.startswith("GOOD: PAI v0.2.0: 2 of 2 files") for text in verdicts.values())
    assert "counts for nothing" not in verdicts["prepare for a compromise"]
    assert "counts for nothing" in verdicts["minisign compromised"]
    assert journal.count("key.rotated") == 3
    assert {"key.extended", "key.revoked"} <= set(journal)
    assert {state for state, _ in states} == {KeyState.REHEARSAL}
    assert [life for _, life in states].count(KeyState.COMPROMISED) == 1
    texts = [files["transcript.txt"] for files in transcripts if "transcript.txt" in files]
    assert len(texts) == 6
    assert all(b"REHEARSAL" in text for text in texts)
