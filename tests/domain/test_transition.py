"""A transition statement says one thing in one way, and what the registry says (KEY-3, KEY-4)."""

from datetime import date

import msgspec
import pytest

from pai_signer.domain.registry import Algorithm, KeyState, Registry
from pai_signer.domain.registry_rules import mark_compromised, rotate
from pai_signer.domain.transition import (
    MAX_TRANSITION_BYTES,
    Transition,
    check_transition,
    parse_transition,
    render_transition,
    transition_of,
)
from pai_signer.domain.transition_texts import (
    render_release_note,
    render_security_page,
    render_site_values,
    repository_files,
    site_values,
)
from pai_signer.errors import FormatError, SignerError, UntrustedKey
from tests.registries import BORN, YEAR, altered, minisign_key, openpgp_key, registry

LATER = BORN + YEAR
DAY = date(2027, 1, 5)
LONG = "Every two years, as the runbook says; nothing is wrong with the old key, " * 3


def minisign_rotated() -> Registry:
    return rotate(registry(), minisign_key(2), reason=LONG.strip(), now=LATER)


def openpgp_rotated() -> Registry:
    return rotate(registry(), openpgp_key(2), reason="Ed25519 at last", now=LATER)


def compromised() -> Registry:
    marked = mark_compromised(
        registry(), "1", reason="laptop stolen", now=LATER, do_not_trust_after=BORN
    )
    return rotate(marked, minisign_key(2), reason="compromise", now=LATER)


def rehearsed() -> Registry:
    practice = registry(minisign_key(1, KeyState.REHEARSAL), openpgp_key(1, KeyState.REHEARSAL))
    return rotate(practice, minisign_key(2, KeyState.REHEARSAL), reason="drill", now=LATER)


def statement(known: Registry) -> Transition:
    return transition_of(known, known.keys[-1].id, DAY)


EVERY = [minisign_rotated, openpgp_rotated, compromised, rehearsed]


@pytest.mark.parametrize("known", EVERY)
def test_a_statement_is_read_back_and_agrees_with_the_registry(known: object) -> None:
    state = known()  # type: ignore[operator]
    told = statement(state)
    data = render_transition(told)
    assert parse_transition(data) == told
    check_transition(told, state)
    assert max(map(len, data.decode("ascii").splitlines())) < 80


def test_a_minisign_statement_holds_both_keys_in_full_and_names_three_signatures() -> None:
    told = statement(minisign_rotated())
    text = render_transition(told).decode()
    for key in (minisign_key(1), minisign_key(2)):
        assert f"\n  ID:         {key.id}\n  Public key: {key.public_key}\n" in text
    gpg = openpgp_key(1).id
    assert told.name == "transition-minisign-2.txt"
    assert told.signatures == {
        "1": "transition-minisign-2.txt.1.minisig",
        "2": "transition-minisign-2.txt.2.minisig",
        gpg: f"transition-minisign-2.txt.{gpg[-16:]}.asc",
    }
    assert f"\nOther key:  {gpg}\n" in text
    assert text.endswith("\n" + "".join(f"  {n}\n" for n in told.signatures.values()))


def test_an_openpgp_statement_shows_grouped_fingerprints() -> None:
    told = statement(openpgp_rotated())
    text = render_transition(told).decode()
    new = openpgp_key(2).id
    assert f"{new[:4]} {new[4:8]}" in text
    assert list(told.signatures) == [openpgp_key(1).id, new, "1"]
    assert told.signatures["1"].endswith(".1.minisig")


def test_a_compromised_key_signs_no_statement_and_the_text_says_why() -> None:
    told = statement(compromised())
    assert list(told.signatures) == ["2", openpgp_key(1).id]
    text = " ".join(render_transition(told).decode().split())
    assert "COMPROMISED: trust no signature made with it" in text
    assert "endorsement-1.json" in text


def test_without_a_key_of_the_other_system_its_signature_is_not_asked_for() -> None:
    alone = rotate(registry(minisign_key(1)), minisign_key(2), reason="x", now=LATER)
    told = statement(alone)
    assert list(told.signatures) == ["1", "2"]
    assert parse_transition(render_transition(told)) == told
    check_transition(told, alone)


@pytest.mark.parametrize("text", ["two\nlines", "two  spaces", " edge", "\x1b[2J", "Grüße"])
def test_facts_that_would_not_come_back_are_not_written(text: str) -> None:
    told = msgspec.structs.replace(statement(minisign_rotated()), reason=text)
    with pytest.raises(FormatError, match="plain ASCII"):
        render_transition(told)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Kind:       planned", b"Kind:       compromise"),
        (b"Project:    PAI", b"Project:   PAI"),
        (b"2027-01-05", b"2027-02-30"),
        (b"2027-01-05", b"2027-1-5"),
        (b"Other key:  ", b"Other key:  none"),
        (b"The old key is retired", b"trust only the new one"),
        (b"SIGNED IN\n", b"SIGNED IN\n  another.asc\n"),
        (b"KEY TRANSITION", b"key transition"),
        (b"\n", b"\r\n"),
        (b"OLD KEY\n", b"OLD KEY\n  Note: none\n"),
        (b"Reason:", b"Because:"),
    ],
)
def test_a_statement_in_any_other_words_is_refused(old: bytes, new: bytes) -> None:
    data = render_transition(statement(minisign_rotated()))
    assert old in data
    with pytest.raises(FormatError, match="not a key transition statement"):
        parse_transition(data.replace(old, new))


@pytest.mark.parametrize("data", [b"", b"\xff", b"x" * (MAX_TRANSITION_BYTES + 1)])
def test_what_is_no_statement_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a key transition statement"):
        parse_transition(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"project": "PIA"},
        {"reason": "as if"},
        {"compromised": True},
        {"rehearsal": True},
        {"old": statement(minisign_rotated()).new},
        {"other": "2"},
        {"other": "FF"},
        {"algorithm": Algorithm.OPENPGP},
    ],
)
def test_a_statement_that_tells_another_story_is_not_believed(fields: dict[str, object]) -> None:
    told = msgspec.structs.replace(statement(minisign_rotated()), **fields)
    with pytest.raises(UntrustedKey):
        check_transition(told, minisign_rotated())


def test_a_statement_about_another_public_key_under_the_same_id_is_not_believed() -> None:
    told = statement(minisign_rotated())
    forged = msgspec.structs.replace(told.new, public_key=minisign_key(7).public_key)
    with pytest.raises(UntrustedKey, match="another story"):
        check_transition(msgspec.structs.replace(told, new=forged), minisign_rotated())


def test_a_planned_statement_stays_true_when_the_old_key_is_found_compromised_later() -> None:
    known = minisign_rotated()
    told = statement(known)
    later = mark_compromised(known, "1", reason="leak", now=LATER + YEAR, do_not_trust_after=BORN)
    check_transition(told, later)
    # But a statement of a compromise never stands where the registry knows of none.
    with pytest.raises(UntrustedKey, match="not compromised"):
        check_transition(statement(later), known)


def test_a_key_that_took_nobodys_place_has_no_statement() -> None:
    with pytest.raises(UntrustedKey, match="no other key's place"):
        transition_of(registry(), "1", DAY)


# --- texts to paste ---------------------------------------------------------------------------


def test_the_values_for_the_site_are_those_of_the_active_keys() -> None:
    known = minisign_rotated()
    gpg = openpgp_key(1).id
    assert site_values(known) == {
        "release.json gpgFingerprint": gpg,
        "repository variable GPG_KEY_FINGERPRINT": gpg,
        "pinned minisign public key": minisign_key(2).public_key,
    }
    assert f"gh variable set GPG_KEY_FINGERPRINT --body {gpg}\n" in render_site_values(known)


def test_the_files_to_commit_are_registry_keys_statement_and_signatures() -> None:
    known = minisign_rotated()
    told = statement(known)
    assert set(repository_files(known, told)) == {
        "registry.json",
        "registry.json.minisig",
        "registry.json.asc",
        "minisign.pub",
        "minisign-1.pub",
        "minisign-2.pub",
        told.name,
        *told.signatures.values(),
    }
    gpg = openpgp_rotated()
    files = repository_files(gpg, statement(gpg))
    assert {f"gpg-{openpgp_key(n).id}.asc" for n in (1, 2)} <= set(files)
    assert list(files) == sorted(files)


@pytest.mark.parametrize("known", EVERY)
def test_the_texts_name_both_keys_and_the_state_of_the_old_one(known: object) -> None:
    state = known()  # type: ignore[operator]
    told = statement(state)
    for text in (render_release_note(told), render_security_page(told)):
        shown = text.replace(" ", "")
        assert told.old.id in shown
        assert told.new.id in shown
        assert ("compromised" in text) is told.compromised
        assert ("REHEARSAL" in text) is told.rehearsal
    page = render_security_page(told)
    assert all(name in page for name in told.signatures.values())
    assert told.reason in page


def test_user_ids_in_other_letters_are_escaped_and_not_lost() -> None:
    old = altered(openpgp_key(1), user_id="Zoë <z@e.invalid>")
    known = rotate(registry(minisign_key(1), old), openpgp_key(2), reason="x", now=LATER)
    told = statement(known)
    assert told.old.user_id == "Zo\\u00eb <z@e.invalid>"
    assert parse_transition(render_transition(told)) == told


def test_errors_are_of_the_programs_own_families() -> None:
    with pytest.raises(SignerError):
        check_transition(statement(minisign_rotated()), registry())
