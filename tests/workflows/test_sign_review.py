"""What is asked and typed before a signature, and what leaves only "discard" (REV-1, REV-2, IMP-4).

Pages, version, clock and passphrases are asked again after a crash, and secrets are wiped (SEC-2).
"""

from pathlib import Path

import pytest

from pai_signer.domain.progress import Progress
from pai_signer.errors import PolicyRefused, SignerError, UsageError
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import YES, Choice, SecretText
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, WHY, downloads_copy, events, run, secrets, sign
from tests.workflows.signing import TAG_FILES, nothing_is_signed, split

# --- REV-2, IMP-4: what leaves only "discard" ---------------------------------------------


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


# --- what has to be answered and typed ----------------------------------------------------


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


def test_other_waivers_are_another_signing(imported: Workbench) -> None:
    arguments = {"version": RELEASE, "waive.POL-7": "one reason"}
    catalogue.begin(imported, "release.sign", arguments).answer(YES, Progress())
    again = catalogue.begin(imported, "release.sign", {**arguments, "waive.POL-7": "another"})
    assert not again.resumed
    assert again.state.waivers == {"POL-7": "another"}


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


def test_secrets_are_wiped_when_the_signing_is_over(imported: Workbench) -> None:
    given = secrets()
    answers = {"clock": YES, "confirm": RELEASE, **given}
    run(imported, "release.sign", answers, version=RELEASE, **{"waive.POL-7": WHY})
    assert "minisign" not in imported.session
    assert "gpg" not in imported.session
    assert all(secret.is_empty for secret in given.values() if not isinstance(secret, str))
