"""Only what was imported, and then reviewed, is signed: what changed since is not (IMP-3, POL-9).

The vault's own record of the import is held against the journal.
"""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest

from pai_signer.domain.host import Interface
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.errors import PolicyRefused
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    OFFLINE,
    RELEASE,
    WHY,
    FakeHost,
    downloads,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    rename_release,
    run,
    secrets,
    sign,
)
from tests.workflows.signing import nothing_is_signed

# --- what changed since the review --------------------------------------------------------


def test_a_signing_that_began_before_another_import_starts_anew(
    keyed: Workbench, tmp_path: Path
) -> None:
    run(keyed, "release.import", directory=str(downloads()))
    conversation = catalogue.begin(keyed, "release.sign", {"version": RELEASE})
    conversation.answer(YES, Progress())
    other = rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")
    run(keyed, "release.import", directory=str(other))
    again = catalogue.begin(keyed, "release.sign", {"version": RELEASE})
    assert not again.resumed
    assert again.step is not None
    assert again.step.id == "clock"
    sign(keyed)


def test_what_changes_between_review_and_signature_is_not_signed(
    imported: Workbench, tmp_path: Path
) -> None:
    arguments = {"version": RELEASE, "waive.POL-7": WHY}
    conversation = catalogue.begin(imported, "release.sign", arguments)
    for answer in (YES, "", "", RELEASE):
        conversation.answer(answer, Progress())
    for secret in secrets().values():
        conversation.answer(secret, Progress())
    candidate = msgspec.structs.replace(imported.candidate(RELEASE), ignored=("x",))
    imported.releases.save_candidate(RELEASE, encode_record(candidate))
    with pytest.raises(PolicyRefused, match="not what was reviewed"):
        conversation.answer("", Progress())
    assert nothing_is_signed(imported)


def test_the_air_gap_is_asked_again_right_before_the_signature(tmp_path: Path) -> None:
    host = FakeHost()
    with opened(keyed_vault(tmp_path / "vault"), host=host) as bench:
        run(bench, "release.import", directory=str(downloads()))
        arguments = {"version": RELEASE, "waive.POL-7": WHY}
        conversation = catalogue.begin(bench, "release.sign", arguments)
        for answer in (YES, "", "", RELEASE, *secrets().values()):
            conversation.answer(answer, Progress())
        wlan = Interface(name="wlan0", is_up=True, is_wireless=True)
        host.said = dataclasses.replace(OFFLINE, interfaces=(wlan,))
        with pytest.raises(PolicyRefused, match="wlan0"):
            conversation.answer("", Progress())
        assert nothing_is_signed(bench)


# --- only as it was imported --------------------------------------------------------------


def forge(bench: Workbench, **changed: str) -> None:
    """Change what the vault keeps of the first artifact between import and signing."""
    candidate = bench.candidate(RELEASE)
    first, *others = candidate.artifacts
    other = msgspec.structs.replace(first, file=msgspec.structs.replace(first.file, **changed))
    forged = msgspec.structs.replace(candidate, artifacts=(other, *others))
    bench.releases.save_candidate(RELEASE, encode_record(forged))


@pytest.mark.parametrize("digest", ["sha256", "blake2b_512"])
def test_digests_that_the_import_did_not_journal_are_never_signed(
    imported: Workbench, digest: str
) -> None:
    """An artifact's own signature is over BLAKE2b alone: that digest is held as well (IMP-3)."""
    of_evil = {
        "sha256": hashlib.sha256(b"evil").hexdigest(),
        "blake2b_512": hashlib.blake2b(b"evil").hexdigest(),
    }
    forge(imported, **{digest: of_evil[digest]})
    before = events(imported)
    with pytest.raises(PolicyRefused) as refused:
        catalogue.begin(imported, "release.sign", {"version": RELEASE, "waive.POL-7": WHY})
    assert refused.value.code == "IMP-3/changed-since"
    assert nothing_is_signed(imported)
    assert events(imported) == before


def test_who_vouched_is_what_was_found_at_the_import(imported: Workbench) -> None:
    candidate = imported.candidate(RELEASE)
    unvouched = tuple(msgspec.structs.replace(a, expected=()) for a in candidate.artifacts)
    forged = msgspec.structs.replace(candidate, artifacts=unvouched)
    imported.releases.save_candidate(RELEASE, encode_record(forged))
    with pytest.raises(PolicyRefused, match="not what the journal says"):
        sign(imported)
    assert nothing_is_signed(imported)


def test_another_commit_than_the_imported_one_is_never_tagged(imported: Workbench) -> None:
    candidate = imported.candidate(RELEASE)
    assert candidate.commit is not None
    other = msgspec.structs.replace(candidate.commit, oid="a" * 40)
    forged = msgspec.structs.replace(candidate, commit=other)
    imported.releases.save_candidate(RELEASE, encode_record(forged))
    with pytest.raises(PolicyRefused, match="other commit"):
        sign(imported)
    assert not imported.releases.staged(RELEASE)
    assert "release.signing" not in events(imported)


def test_a_later_import_does_not_take_a_forged_part_for_its_own(
    imported: Workbench, tmp_path: Path
) -> None:
    forge(imported, sha256=hashlib.sha256(b"evil").hexdigest())
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for path in downloads().glob("*.bundle"):
        shutil.copy2(path, bundle)
    with pytest.raises(PolicyRefused, match="other artifacts"):
        run(imported, "release.import", directory=str(bundle), version=RELEASE)
    assert nothing_is_signed(imported)
    run(imported, "release.import", directory=str(downloads()))
    sign(imported)
