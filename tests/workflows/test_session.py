"""Two maintainers verify their backups in one session, and another workstation believes them."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pai_signer.domain.attestation import ATTESTATION_NAME, parse_attestation
from pai_signer.domain.custody import AcceptedFacts
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import (
    BadSignature,
    CustodyError,
    DigestMismatch,
    FormatError,
    MediumError,
    PolicyRefused,
    SignerError,
    UntrustedKey,
    UsageError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.workbench import Workbench
from tests.keys import weak_passphrase
from tests.workflows.backups import ANNA, BOB, Drawer, backed_up, typed
from tests.workflows.bench import PHRASES, Silent, events, opened, run
from tests.workflows.sessions import answers, hold_session


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Drawer]:
    """A vault whose keys Anna and Bob have backed up and proved once; both sticks are in."""
    with backed_up(tmp_path) as drawer:
        yield drawer


def proofs(bench: Workbench) -> int:
    return events(bench).count("backup.proved")


# --- the session ---------------------------------------------------------------------------------


def test_two_people_prove_and_attest(held: Drawer, tmp_path: Path) -> None:
    bench, before = held.bench, proofs(held.bench)
    speaker = Silent()
    (tmp_path / "carried").mkdir()
    outcome = hold_session(held, speaker=speaker, export=tmp_path / "carried")
    assert proofs(bench) == before + 4
    data = outcome.data
    assert [one["custodian"] for one in data["custodians"]] == ["Anna", "Bob"]
    assert data["cross_check"] == "each passphrase failed on the other's copy"
    assert all(key["enough"] for key in data["custody"])
    # What was shown: everybody else looks away, twice; and what no signature says.
    shown = "\n".join(str(page) for page in speaker.shown)
    assert shown.count("EVERYBODY ELSE LOOKS AWAY") == 2
    assert "NOT proved" in str(outcome.pages)
    # The attestation holds the evidence, is journalled, and lies on the medium.
    (folder,) = (tmp_path / "carried").iterdir()
    written = (folder / ATTESTATION_NAME).read_bytes()
    assert hashlib.sha256(written).hexdigest() == data["attestation"]
    attestation = parse_attestation(written)
    assert [p.stated.custodian for p in attestation.proofs] == ["Anna", "Anna", "Bob", "Bob"]
    assert "attestation.made" in events(bench)
    # The transcript tells of the session, and of no secret.
    files = bench.ceremonies.load(data["ceremony"])
    transcript = json.loads(files["transcript.json"])
    assert [c["typed_by"] for c in transcript["comparisons"]] == ["Bob"]
    everything = b"".join(files.values()) + written
    for phrase in (*ANNA.values(), *BOB.values(), *PHRASES.values()):
        assert phrase not in everything
    assert not bench.session._held


def test_nobody_holds_it_alone(held: Drawer) -> None:
    """It is said where the name is asked for, and not some questions later."""
    before = events(held.bench)
    with pytest.raises(UsageError) as caught:
        hold_session(held, {"second": ""})
    assert caught.value.code == "CUS-3/alone"
    assert events(held.bench) == before


def test_the_second_types_the_fingerprint_from_their_own_card(held: Drawer) -> None:
    before = proofs(held.bench)
    with pytest.raises(DigestMismatch):
        hold_session(held, answers(held.bench, fingerprint="AB" * 20))
    given = answers(held.bench)
    del given["fingerprint"]
    with pytest.raises(UsageError) as caught:
        hold_session(held, given)
    assert caught.value.code == "CUS-2/paper-card"
    assert proofs(held.bench) == before + 2  # the first maintainer's stand
    assert "attestation.made" not in events(held.bench)


def test_a_wrong_passphrase_is_asked_again_and_is_on_record(held: Drawer) -> None:
    before = proofs(held.bench)
    with pytest.raises(PolicyRefused):
        hold_session(held, answers(held.bench, custodian_2_gpg=weak_passphrase(b"not Bob's")))
    assert events(held.bench)[-1] == "backup.failed"
    outcome = hold_session(held)  # goes on where it was: the first is not asked again
    assert outcome.data["custodians"][0]["custodian"] == "Anna"
    assert proofs(held.bench) == before + 5  # Bob's minisign key was proved twice


def test_the_first_medium_again_is_no_second_one(held: Drawer) -> None:
    with pytest.raises(CustodyError) as caught:
        run(
            held.bench,
            "backup.session",
            answers(held.bench),
            first=str(held.folder / "anna"),
            second=str(held.folder / "anna"),
        )
    assert caught.value.code == "CUS-3/one-medium"
    assert "attestation.made" not in events(held.bench)


def test_the_media_swapped_between_the_two_are_refused(held: Drawer) -> None:
    with pytest.raises(CustodyError) as caught:
        run(
            held.bench,
            "backup.session",
            answers(held.bench),
            first=str(held.folder / "bob"),
            second=str(held.folder / "anna"),
        )
    assert caught.value.code == "CUS-2/other-custodian"


def test_one_port_means_no_cross_check_and_says_so(held: Drawer) -> None:
    outcome = hold_session(held, answers(held.bench, cross_check="no"))
    assert outcome.data["cross_check"] == "not done"
    assert outcome.data["custody"][0]["enough"]


def enough(bench: Workbench) -> list[bool]:
    custody = bench.ledger().custody(bench.registry(), bench.profile.custody, bench.clock.now())
    return [status.is_enough for _, status in custody]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Drawer]:
    """Bob's second stick was made with the very passphrases that Anna has."""
    with backed_up(tmp_path) as drawer:
        shutil.rmtree(drawer.folder / "bob")
        drawer.stick("bob", uuid="UUID-bob-2")
        drawer.create("Bob", drawer.folder / "bob", ANNA)
        yield drawer


def test_two_who_share_a_passphrase_are_one_custodian(shared: Drawer) -> None:
    same = {"custodian-2": ANNA["custodian"], "custodian-2-gpg": ANNA["custodian-gpg"]}
    given = {**answers(shared.bench), **typed(same)}
    assert all(enough(shared.bench))
    with pytest.raises(CustodyError) as caught:
        hold_session(shared, given)
    assert caught.value.code == "CUS-3/shared-passphrase"
    assert "SHARE A PASSPHRASE" in caught.value.summary
    assert caught.value.exit_code == 3
    assert "attestation.made" not in events(shared.bench)


def test_the_cross_check_finds_a_shared_passphrase_on_the_copies(
    shared: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where what was typed could not be compared in memory."""
    from pai_signer.domain.secret import Secret  # noqa: PLC0415 - for this patch alone

    monkeypatch.setattr(Secret, "same_as", lambda *_: False)
    same = {"custodian-2": ANNA["custodian"], "custodian-2-gpg": ANNA["custodian-gpg"]}
    with pytest.raises(CustodyError) as caught:
        hold_session(shared, {**answers(shared.bench), **typed(same)})
    assert caught.value.code == "CUS-3/shared-passphrase"
    assert events(shared.bench)[-1] == "backup.failed"
    assert not any(enough(shared.bench))  # the proofs just made do not count any more


def test_a_damaged_copy_ends_the_session_before_anything_is_asked(held: Drawer) -> None:
    (copy, *_) = (held.folder / "bob").iterdir()
    (copy / "minisign.key").write_bytes(b"rot")
    with pytest.raises(FormatError):
        hold_session(held)
    assert "attestation.made" not in events(held.bench)


def test_given_up_after_the_first_proof_the_transcript_is_kept(held: Drawer) -> None:
    with pytest.raises(DigestMismatch):
        hold_session(held, answers(held.bench, fingerprint="AB" * 20))
    arguments = {"first": str(held.folder / "anna"), "second": str(held.folder / "bob")}
    catalogue.begin(held.bench, "backup.session", arguments).discard()
    assert events(held.bench)[-1] == "ceremony.ended"


@pytest.mark.parametrize("killed_at", ["prove-second", "cross-check-tried", "attest"])
def test_a_session_that_was_killed_goes_on(
    held: Drawer, killed_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = held.bench

    class Killed(BaseException):
        pass

    class Killing(Silent):
        def working(self, step: Any, progress: Any) -> Any:
            if step.id == killed_at:
                raise Killed
            return super().working(step, progress)

    with pytest.raises(Killed):
        hold_session(held, speaker=Killing())
    bench.session.wipe()  # what a process takes with it
    outcome = hold_session(held)
    assert outcome.data["cross_check"] == "each passphrase failed on the other's copy"
    assert events(bench).count("attestation.made") == 1
    assert events(bench).count("ceremony.ended") >= 1


# --- another workstation takes it in --------------------------------------------------------


@pytest.fixture
def attested(held: Drawer, tmp_path: Path) -> Path:
    """A medium with the attestation of a session."""
    (tmp_path / "carried").mkdir()
    hold_session(held, export=tmp_path / "carried")
    return tmp_path / "carried"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Workbench]:
    """A second workstation with the same keys, before any backup."""
    from tests.workflows.bench import keyed_vault  # noqa: PLC0415

    with opened(keyed_vault(tmp_path / "elsewhere")) as bench:
        yield bench


def accept(bench: Workbench, medium: Path) -> dict[str, Any]:
    return dict(run(bench, "backup.accept", directory=str(medium)).data)


def test_its_proofs_count_elsewhere_once(elsewhere: Workbench, attested: Path) -> None:
    assert not any(enough(elsewhere))
    data = accept(elsewhere, attested)
    assert len(data["accepted"]) == 4
    assert all(enough(elsewhere))
    entry = elsewhere.journal.entries()[-1]
    facts = msgspec.convert(entry.facts, AcceptedFacts)
    assert facts.attestation == data["attestation"]
    sources = {row.proof.source for row in elsewhere.ledger().rows if row.proof}
    assert sources == {data["attestation"]}
    with pytest.raises(PolicyRefused) as caught:
        accept(elsewhere, attested)
    assert caught.value.code == "CUS-3/nothing-new"
    assert elsewhere.journal.entries()[-1] == entry


def test_where_it_was_made_nothing_in_it_is_new(held: Drawer, attested: Path) -> None:
    before = events(held.bench)
    with pytest.raises(PolicyRefused) as caught:
        accept(held.bench, attested)
    assert caught.value.code == "CUS-3/nothing-new"
    assert events(held.bench) == before


def only_file(medium: Path) -> Path:
    (folder,) = medium.iterdir()
    return folder / ATTESTATION_NAME


def other_custodian(medium: Path, strangers: Workbench) -> None:
    file = only_file(medium)
    file.write_bytes(file.read_bytes().replace(b"Anna", b"Zora"))


def no_signature(medium: Path, strangers: Workbench) -> None:
    only_file(medium).with_name(f"{ATTESTATION_NAME}.asc").unlink()


def half_a_file(medium: Path, strangers: Workbench) -> None:
    file = only_file(medium)
    file.write_bytes(file.read_bytes()[:-40])


def signed_again(medium: Path, bench: Workbench, **changes: Any) -> None:
    """Changed, and signed by the project's own keys: each proof is checked all the same."""
    file = only_file(medium)
    attestation = parse_attestation(file.read_bytes())
    proof = attestation.proofs[0]
    changed = msgspec.structs.replace(proof, signatures=attestation.proofs[1].signatures)
    altered = msgspec.structs.replace(
        attestation, proofs=(changed, *attestation.proofs[1:]), **changes
    )
    data = msgspec.json.format(msgspec.json.encode(altered), indent=2) + b"\n"
    minisign, openpgp = (bench.registry().signing_key(a) for a in Algorithm)
    assert minisign is not None
    assert openpgp is not None
    unlocked = bench.minisign.unlock(minisign.public_key, weak_passphrase(PHRASES["minisign"]))
    comment = f"project:PAI attestation\tversion:1\tfile:{ATTESTATION_NAME}"
    digest = hashlib.blake2b(data).digest()
    file.write_bytes(data)
    file.with_name(f"{ATTESTATION_NAME}.minisig").write_bytes(
        unlocked.sign_prehashed(digest, comment)
    )
    armored = bench.openpgp.sign_detached(data, openpgp.id, weak_passphrase(PHRASES["gpg"]))
    file.with_name(f"{ATTESTATION_NAME}.asc").write_bytes(armored)


def nothing_there(medium: Path, bench: Workbench) -> None:
    shutil.rmtree(only_file(medium).parent)


@pytest.mark.parametrize(
    ("change", "family"),
    [
        (other_custodian, BadSignature),
        (no_signature, SignerError),
        (half_a_file, BadSignature),
        (signed_again, SignerError),
        (nothing_there, MediumError),
    ],
)
def test_nothing_that_was_changed_is_taken_in(
    elsewhere: Workbench, attested: Path, change: Any, family: type[SignerError]
) -> None:
    change(attested, elsewhere)
    before = events(elsewhere)
    with pytest.raises(family) as caught:
        accept(elsewhere, attested)
    assert caught.value.exit_code in (4, 5)
    assert events(elsewhere) == before
    assert not any(enough(elsewhere))


def test_an_attestation_of_strangers_is_not_believed(attested: Path, tmp_path: Path) -> None:
    from tests.workflows.test_restore import strangers_vault  # noqa: PLC0415

    with opened(strangers_vault(tmp_path / "strangers")) as bench:
        with pytest.raises(UntrustedKey):
            accept(bench, attested)
        assert not any(enough(bench))
