"""Signing: review, confirmation, signatures, and what must never be signed (POL, REV, SIG).

The receipt says all of it (EXP-3), and the air gap is asked again at the end (POL-9).
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from pai_signer.domain.host import Interface
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import parse_receipt
from pai_signer.domain.records import encode_record
from pai_signer.errors import Cancelled, MediumError, PolicyRefused, SignerError, UsageError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Choice, SecretText
from pai_signer.workflows.release.settle import settle_unfinished
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    OFFLINE,
    RELEASE,
    WHY,
    FakeHost,
    ShiftedClock,
    Silent,
    a_repository,
    a_strangers_repository,
    downloads,
    downloads_copy,
    events,
    keyed_vault,
    opened,
    rename_release,
    run,
    secrets,
    sign,
    signed_vault,
)

TAG_FILES = {
    f"{RELEASE}.bundle",
    "receipt-tag.json",
    "receipt-tag.json.asc",
    "receipt-tag.json.minisig",
    "receipt-tag.txt",
}


def nothing_is_signed(bench: Workbench, version: str = RELEASE) -> bool:
    """Neither staged nor journalled, and no tag in the mirror."""
    return (
        not bench.releases.staged(version)
        and "release.signed" not in events(bench)
        and bench.tags.describe_commit(_commit(bench), version, None).existing_tag_oid is None
    )


def _commit(bench: Workbench, version: str = RELEASE) -> str:
    commit = bench.candidate(version).commit
    assert commit is not None
    return commit.oid


@contextmanager
def breaking(
    bench: Workbench, port: str, method: str, error: BaseException, *, after: bool = False
) -> Iterator[None]:
    """Let one method of one port raise, before or after it did its work."""
    owner = getattr(bench, port)
    real = getattr(owner, method)

    def broken(*arguments: object) -> None:
        if after:
            real(*arguments)
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, broken)
        yield


# --- what a visit makes -------------------------------------------------------------------


def test_one_visit_signs_manifest_every_artifact_tag_and_receipt(imported: Workbench) -> None:
    outcome = sign(imported)
    staged = imported.releases.staged(RELEASE)
    isos = ["pai-0.2.0-amd64.iso", "pai-0.2.0-arm64.iso"]
    both = ["SHA256SUMS", "receipt.json"]
    assert set(staged) == {
        *both,
        *(f"{name}.minisig" for name in (*both, *isos)),
        *(f"{name}.asc" for name in both),
        f"{RELEASE}.bundle",
        "receipt.txt",
    }
    assert outcome.data["waived"] == {"POL-7": WHY}
    assert events(imported)[-2:] == ["release.signing", "release.signed"]


def test_the_receipt_names_keys_rules_waivers_and_the_entry_that_began_it(
    imported: Workbench,
) -> None:
    sign(imported)
    receipt = parse_receipt(imported.releases.staged(RELEASE)["receipt.json"])
    begun = next(e for e in imported.journal.entries() if e.event == "release.signing")
    assert (receipt.journal.n, receipt.journal.hash) == (begun.n, begun.hash)
    assert [(c.id, c.reason) for c in receipt.checks if c.reason] == [("POL-7", WHY)]
    assert {key.algorithm for key in receipt.keys} == {"minisign", "openpgp"}
    assert receipt.program_sha256 == imported.program.installation().sha256
    assert "receipt.txt" in receipt.files
    text = imported.releases.staged(RELEASE)["receipt.txt"].decode()
    assert f"waived because: {WHY}" in text


def test_a_visit_journals_the_waiver_before_it_signs(imported: Workbench) -> None:
    sign(imported)
    begun = next(e for e in imported.journal.entries() if e.event == "release.signing")
    waived = [c for c in begun.facts["checks"] if c["result"] == "waived"]
    assert [(c["id"], c["reason"]) for c in waived] == [("POL-7", WHY)]
    assert f"--waive POL-7={WHY!r}" in begun.facts["command"]


def test_the_artifacts_are_not_needed_any_more_once_they_were_read(
    keyed: Workbench, tmp_path: Path
) -> None:
    source = downloads_copy(tmp_path / "stick")
    run(keyed, "release.import", directory=str(source))
    shutil.rmtree(source)
    sign(keyed)
    assert "SHA256SUMS.asc" in keyed.releases.staged(RELEASE)


# --- two visits (IMP-7) ---------------------------------------------------------------------


def split(tmp_path: Path) -> tuple[Path, Path]:
    """The practice release as a bundle alone, and as artifacts alone."""
    artifacts = downloads_copy(tmp_path / "artifacts")
    tag = tmp_path / "tag"
    tag.mkdir()
    shutil.move(artifacts / "practice.bundle", tag)
    return tag, artifacts


def test_the_tag_first_and_the_manifest_later(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    assert sign(keyed).data["visit"] == "tag"
    assert set(keyed.releases.staged(RELEASE)) == TAG_FILES
    run(keyed, "release.import", directory=str(artifacts))
    speaker = Silent()
    assert sign(keyed, RELEASE, speaker).data["visit"] == "manifest"
    assert any(page.title == f"Signed already for {RELEASE}" for page in speaker.shown)
    staged = keyed.releases.staged(RELEASE)
    assert set(staged) >= TAG_FILES
    receipt = parse_receipt(staged["receipt.json"])
    assert set(receipt.earlier) == {"receipt-tag.json"}


def test_the_manifest_first_and_the_tag_later(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    assert sign(keyed).data["visit"] == "manifest"
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    assert sign(keyed).data["visit"] == "tag"
    assert keyed.releases.staged(RELEASE).items() >= first.items()


def test_what_was_imported_together_can_be_signed_apart(imported: Workbench) -> None:
    assert sign(imported, what="tag").data["visit"] == "tag"
    assert sign(imported).data["visit"] == "manifest"


def test_all_that_is_signed_is_not_signed_twice(signed: Workbench) -> None:
    before = signed.releases.staged(RELEASE)
    with pytest.raises(UsageError, match="signed already"):
        sign(signed)
    assert signed.releases.staged(RELEASE) == before


# --- POL-4: never other content under a signed version --------------------------------------


def other_content(tmp_path: Path) -> Path:
    return rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")


@pytest.mark.parametrize("what", ["all", "manifest"])
@pytest.mark.parametrize("waive", [{}, {"waive.POL-4": "let me"}])
def test_other_files_under_a_signed_version_are_refused(
    signed: Workbench, tmp_path: Path, what: str, waive: Mapping[str, str]
) -> None:
    before = signed.releases.staged(RELEASE)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(signed, "release.import", directory=str(other_content(tmp_path)))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(signed, what=what, **waive)
    assert signed.releases.staged(RELEASE) == before
    assert events(signed).count("release.signing") == 1


def test_another_commit_under_a_signed_version_is_refused(
    signed: Workbench, tmp_path: Path
) -> None:
    source = downloads_copy(tmp_path / "source")
    (source / "practice.bundle").unlink()
    bundle = a_repository(tmp_path / "repository").full_bundle()
    shutil.move(bundle, source)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(signed, "release.import", directory=str(source))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(signed, what="tag")


def test_the_second_visit_may_not_bring_another_commit_along(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    shutil.move(a_repository(tmp_path / "repository").full_bundle(), artifacts)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(keyed, "release.import", directory=str(artifacts))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(keyed, what="manifest", **{"waive.POL-4": "let me"})
    assert set(keyed.releases.staged(RELEASE)) == TAG_FILES


def test_the_tag_visit_may_not_bring_other_files_along(keyed: Workbench, tmp_path: Path) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(artifacts))
    sign(keyed)
    other = rename_release(artifacts, "0.2.0", b"changed")
    shutil.move(tag / "practice.bundle", other)
    with pytest.raises(PolicyRefused, match="POL-4"):
        run(keyed, "release.import", directory=str(other))
    with pytest.raises(PolicyRefused, match="POL-4"):
        sign(keyed, what="tag")


# --- REV-2, IMP-4: what leaves only "discard" -------------------------------------------------


def test_a_digest_mismatch_leaves_only_discard(keyed: Workbench, tmp_path: Path) -> None:
    source = downloads_copy(tmp_path / "source")
    sums = (source / "SHA256SUMS").read_text()
    (source / "SHA256SUMS").write_text("0" * 64 + sums[64:])
    with pytest.raises(SignerError) as at_import:
        run(keyed, "release.import", directory=str(source))
    assert (at_import.value.code, at_import.value.exit_code) == ("IMP-4/mismatch", 4)
    conversation = catalogue.begin(keyed, "release.sign", {"version": RELEASE})
    conversation.answer(YES, Progress())
    assert conversation.step is not None
    question = conversation.step.question(conversation.state)
    assert isinstance(question, Choice)
    assert [option.value for option in question.options] == ["refused"]
    with pytest.raises(SignerError) as at_sign:
        conversation.answer("refused", Progress())
    assert at_sign.value.exit_code == 4
    conversation.discard()
    assert keyed.releases.load_candidate(RELEASE) is None
    assert events(keyed)[-1] == "release.candidate-discarded"


@pytest.mark.parametrize("waive", ["IMP-4", "POL-1", "POL-2", "POL-4", "POL-5", "POL-6"])
def test_a_mismatch_is_never_waived(keyed: Workbench, tmp_path: Path, waive: str) -> None:
    source = downloads_copy(tmp_path / "source")
    sums = (source / "SHA256SUMS").read_text()
    (source / "SHA256SUMS").write_text("0" * 64 + sums[64:])
    with pytest.raises(SignerError):
        run(keyed, "release.import", directory=str(source))
    with pytest.raises(SignerError) as refused:
        sign(keyed, **{f"waive.{waive}": "let me sign it"})
    assert refused.value.exit_code == 4
    assert nothing_is_signed(keyed)


def test_discarding_the_second_visit_forgets_its_files_and_keeps_the_signed_part(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    (artifacts / "SHA256SUMS").unlink()
    with pytest.raises(PolicyRefused, match="IMP-4"):
        run(keyed, "release.import", directory=str(artifacts))
    catalogue.begin(keyed, "release.sign", {"version": RELEASE}).discard()
    candidate = keyed.candidate(RELEASE)
    assert candidate.artifacts == ()
    assert candidate.commit is not None
    assert set(keyed.releases.staged(RELEASE)) == TAG_FILES


@pytest.mark.parametrize("typed", ["v0.2.1", "0.2.0", "V0.2.0", "v0.2.0 ", ""])
def test_the_version_has_to_be_typed_exactly(imported: Workbench, typed: str) -> None:
    answers = {"clock": YES, "confirm": typed, **secrets()}
    with pytest.raises(UsageError):
        run(imported, "release.sign", answers, version=RELEASE, **{"waive.POL-7": WHY})
    assert nothing_is_signed(imported)


def test_without_an_answer_to_the_clock_nothing_is_signed(imported: Workbench) -> None:
    answers = {"confirm": RELEASE, **secrets()}
    with pytest.raises(UsageError, match="clock"):
        run(imported, "release.sign", answers, version=RELEASE, **{"waive.POL-7": WHY})
    assert nothing_is_signed(imported)


def test_a_clock_that_is_wrong_is_refused(imported: Workbench) -> None:
    with pytest.raises(PolicyRefused, match="clock"):
        run(imported, "release.sign", {"clock": "no"}, version=RELEASE)


def test_a_rule_that_fails_names_its_waiver(imported: Workbench) -> None:
    answers = {"clock": YES, "confirm": RELEASE, **secrets()}
    with pytest.raises(PolicyRefused) as refused:
        run(imported, "release.sign", answers, version=RELEASE)
    assert "--waive POL-7=REASON" in refused.value.hint
    assert nothing_is_signed(imported)


# --- what changed since the review ----------------------------------------------------------


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


def test_other_waivers_are_another_signing(imported: Workbench) -> None:
    arguments = {"version": RELEASE, "waive.POL-7": "one reason"}
    catalogue.begin(imported, "release.sign", arguments).answer(YES, Progress())
    again = catalogue.begin(imported, "release.sign", {**arguments, "waive.POL-7": "another"})
    assert not again.resumed
    assert again.state.waivers == {"POL-7": "another"}


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


def test_after_a_crash_everything_is_read_and_typed_again(imported: Workbench) -> None:
    arguments = {"version": RELEASE, "waive.POL-7": WHY}
    conversation = catalogue.begin(imported, "release.sign", arguments)
    for answer in (YES, "", "", RELEASE, *secrets().values()):
        conversation.answer(answer, Progress())
    resumed = catalogue.begin(imported, "release.sign", arguments)
    assert resumed.resumed
    asked = []
    answers = {"clock": YES, "confirm": RELEASE, **secrets()}
    while resumed.step is not None and resumed.step.id != "sign":
        question = resumed.step.question(resumed.state)
        asked.append(question.name)
        resumed.answer(answers.get(question.name, ""), Progress())
    assert asked == ["clock", "checks", "reviewed", "confirm", "minisign", "gpg"]


def test_a_saved_state_that_says_it_was_reviewed_arms_nothing(imported: Workbench) -> None:
    """A forged state in the vault: the pages are still read first (REV-1)."""
    arguments = {"version": RELEASE, "waive.POL-7": WHY, "waive.IMP-4": WHY}
    honest = catalogue.begin(imported, "release.sign", arguments)
    honest.answer(YES, Progress())
    saved = imported.states.load(honest.workflow.saved_as) or b""
    start, mark, state = saved.partition(b',"state":')
    for field in (b"checks_accepted", b"reviewed", b"typed"):
        state = state.replace(b'"%s":false' % field, b'"%s":true' % field)
    imported.states.save(honest.workflow.saved_as, start + mark + state)
    resumed = catalogue.begin(imported, "release.sign", arguments)
    assert resumed.resumed
    assert resumed.state.reviewed
    for answer in (YES, ""):
        resumed.answer(answer, Progress())
    assert resumed.step is not None
    assert resumed.step.id == "review"
    shown = [line.text for page in resumed.step.pages(resumed.state) for line in page.lines]
    digest = imported.candidate(RELEASE).artifacts[0].file.sha256
    assert any(digest[:16] in text.replace(" ", "") for text in shown)
    resumed.answer("", Progress())
    with pytest.raises(UsageError):
        resumed.answer("v9.9.9", Progress())
    assert nothing_is_signed(imported)


# --- only as it was imported ------------------------------------------------------------------


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


def test_secrets_are_wiped_when_the_signing_is_over(imported: Workbench) -> None:
    given = secrets()
    answers = {"clock": YES, "confirm": RELEASE, **given}
    run(imported, "release.sign", answers, version=RELEASE, **{"waive.POL-7": WHY})
    assert "minisign" not in imported.session
    assert "gpg" not in imported.session
    assert all(secret.is_empty for secret in given.values() if not isinstance(secret, str))


def test_a_wrong_passphrase_signs_nothing_and_is_asked_again(imported: Workbench) -> None:
    arguments = {"version": RELEASE, "waive.POL-7": WHY}
    conversation = catalogue.begin(imported, "release.sign", arguments)
    for answer in (YES, "", "", RELEASE):
        conversation.answer(answer, Progress())
    with pytest.raises(PolicyRefused) as wrong:
        conversation.answer(secrets(minisign=b"not it")["minisign"], Progress())
    assert wrong.value.code == "KEY-1/wrong-passphrase"
    assert wrong.value.unchanged
    assert conversation.step is not None
    assert isinstance(conversation.step.question(conversation.state), SecretText)
    assert nothing_is_signed(imported)


# --- the second release (POL-3, POL-5) --------------------------------------------------------


@pytest.fixture
def two_commits(keyed: Workbench, tmp_path: Path) -> tuple[Workbench, Path, str]:
    """v0.2.0 signed at the first commit of a real repository; the folder of the next release."""
    repository = a_repository(tmp_path / "repository", commits=1)
    first = rename_release(downloads_copy(tmp_path / "first"), "0.2.0")
    (first / "practice.bundle").unlink()
    shutil.move(repository.full_bundle(), first)
    run(keyed, "release.import", directory=str(first))
    sign(keyed)
    old = repository.head
    repository.commit("next")
    second = downloads_copy(tmp_path / "second")
    (second / "practice.bundle").unlink()
    shutil.move(repository.thin_bundle(old), second)
    return keyed, second, old


def test_a_second_release_from_a_thin_bundle(two_commits: tuple[Workbench, Path, str]) -> None:
    bench, second, old = two_commits
    run(bench, "release.import", directory=str(rename_release(second, "0.3.0", b"new")))
    commit = bench.candidate("v0.3.0").commit
    assert commit is not None
    assert (commit.previous_oid, commit.descends_from_previous) == (old, True)
    outcome = sign(bench, "v0.3.0")
    assert set(outcome.data["waived"]) == {"POL-7"}


def test_an_older_version_needs_a_waiver(two_commits: tuple[Workbench, Path, str]) -> None:
    bench, second, _ = two_commits
    run(bench, "release.import", directory=str(rename_release(second, "0.1.9", b"new")))
    with pytest.raises(PolicyRefused, match="POL-3"):
        sign(bench, "v0.1.9")
    outcome = sign(bench, "v0.1.9", **{"waive.POL-3": "a hotfix line"})
    assert outcome.data["waived"] == {"POL-3": "a hotfix line", "POL-7": WHY}


def test_a_commit_that_does_not_descend_needs_a_waiver(
    two_commits: tuple[Workbench, Path, str], tmp_path: Path
) -> None:
    bench, second, _ = two_commits
    next(second.glob("*.bundle")).unlink()
    stranger = a_strangers_repository(tmp_path / "stranger")
    shutil.move(stranger.full_bundle(), second)
    run(bench, "release.import", directory=str(rename_release(second, "0.3.0", b"new")))
    with pytest.raises(PolicyRefused, match="POL-5"):
        sign(bench, "v0.3.0")
    assert sign(bench, "v0.3.0", **{"waive.POL-5": "history was rewritten"})


def test_descent_is_judged_against_what_is_signed_by_then(keyed: Workbench, tmp_path: Path) -> None:
    """Two releases are imported first, then both signed: the second must descend from the first."""
    ours = a_repository(tmp_path / "ours")
    theirs = a_strangers_repository(tmp_path / "theirs")
    for version, repository in (("0.2.0", ours), ("0.3.0", theirs)):
        source = downloads_copy(tmp_path / version)
        (source / "practice.bundle").unlink()
        shutil.move(repository.full_bundle(), source)
        rename_release(source, version, version.encode())
        run(keyed, "release.import", directory=str(source))
    sign(keyed, "v0.2.0")
    with pytest.raises(PolicyRefused, match="POL-5"):
        sign(keyed, "v0.3.0")
    assert not keyed.releases.staged("v0.3.0")


# --- failures and cancels (SIG-6) -----------------------------------------------------------


def _only_visit_ended(bench: Workbench) -> None:
    """Nothing unfinished, nothing staged, no tag, and the journal whole."""
    assert bench.history().unfinished == ()
    assert nothing_is_signed(bench)
    assert events(bench)[-2:] == ["release.signing", "release.discarded"]
    sign(bench)  # and it can be signed as if nothing had happened


FAULTS = [
    ("openpgp", "sign_detached", MediumError("X/x", "gpg broke", "."), False),
    ("tags", "write_tag", MediumError("X/x", "git broke", "."), False),
    ("tags", "write_tag", MediumError("X/x", "git broke late", "."), True),
    ("tags", "bundle_tag", MediumError("X/x", "git broke", "."), False),
    ("releases", "stage", MediumError("X/x", "disk full", "."), False),
    ("releases", "stage", MediumError("X/x", "fsync failed", "."), True),
    ("releases", "stage", KeyboardInterrupt(), True),
    ("openpgp", "sign_detached", KeyboardInterrupt(), False),
    ("openpgp", "sign_detached", Cancelled("X/x", "cancelled", "."), False),
]


@pytest.mark.parametrize(("port", "method", "error", "after"), FAULTS)
def test_a_fault_while_signing_leaves_nothing_behind(
    imported: Workbench, port: str, method: str, error: BaseException, after: bool
) -> None:
    with breaking(imported, port, method, error, after=after), pytest.raises(type(error)):
        sign(imported)
    imported.session.wipe()
    _only_visit_ended(imported)


def test_a_fault_in_the_second_visit_takes_nothing_of_the_first_away(
    keyed: Workbench, tmp_path: Path
) -> None:
    tag, artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    sign(keyed)
    first = keyed.releases.staged(RELEASE)
    run(keyed, "release.import", directory=str(artifacts))
    error = MediumError("X/x", "fsync failed", ".")
    with breaking(keyed, "releases", "stage", error, after=True), pytest.raises(MediumError):
        sign(keyed)
    assert keyed.releases.staged(RELEASE) == first
    history = keyed.history().find(RELEASE)
    assert history is not None
    assert history.tag_oid is not None


def test_a_take_back_that_fails_is_settled_at_the_next_start(imported: Workbench) -> None:
    with (
        breaking(imported, "tags", "bundle_tag", MediumError("X/x", "git broke", ".")),
        breaking(imported, "releases", "unstage", MediumError("X/y", "disk broke", ".")),
        pytest.raises(MediumError, match="git broke") as first,
    ):
        sign(imported)
    assert first.value.unchanged == "What was made so far is settled when the program starts again."
    assert len(imported.history().unfinished) == 1
    assert settle_unfinished(imported)
    _only_visit_ended(imported)


def test_a_tag_that_somebody_else_put_into_the_mirror_is_refused_and_stays(
    signed: Workbench, tmp_path: Path
) -> None:
    """The vault's journal was restored from before the signing; the mirror still knows the tag."""
    vault = signed_vault(tmp_path / "restored")
    fresh = keyed_vault(tmp_path / "fresh")
    shutil.copytree(vault / "repo.git", fresh / "repo.git")
    other = rename_release(downloads_copy(tmp_path / "other"), "0.2.0", b"changed")
    with opened(fresh) as bench:
        run(bench, "release.import", directory=str(other))
        for _ in range(2):
            with pytest.raises(PolicyRefused, match="POL-5"):
                sign(bench)
        assert "release.signed" not in events(bench)


def test_a_clock_before_the_last_entry_is_refused(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        run(bench, "release.import", directory=str(downloads()))
        clock.shift = -timedelta(days=2)
        with pytest.raises(PolicyRefused, match="POL-8"):
            sign(bench)
        assert nothing_is_signed(bench)


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    clock = ShiftedClock()
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        run(bench, "release.import", directory=str(downloads()))
        clock.shift = timedelta(days=401)
        with pytest.raises(PolicyRefused, match="expired"):
            sign(bench, **{"waive.POL-6": "one last time", "waive.POL-8": "long in a drawer"})
        assert nothing_is_signed(bench)


def test_a_saved_signing_of_what_is_signed_by_now_is_forgotten(signed: Workbench) -> None:
    signed.states.save(f"sign-release.{RELEASE}", json.dumps({"left": "by a crash"}).encode())
    with pytest.raises(UsageError):
        sign(signed)
    assert signed.states.names() == ()
