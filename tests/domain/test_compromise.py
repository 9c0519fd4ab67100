"""The notice holds what the registry says, and the pack is ready before the day (KEY-5)."""

import pytest

from pai_signer.domain.compromise import (
    check_notice,
    notice_name,
    render_drill_pack,
    render_notice,
)
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.registry import KeyState, Registry
from pai_signer.domain.registry_rules import mark_compromised, rotate
from pai_signer.errors import BadSignature, PolicyRefused
from tests.registries import BORN, YEAR, minisign_key, openpgp_key, registry

LATER = BORN + YEAR


def compromised(key_id: str = "1") -> Registry:
    return mark_compromised(
        registry(), key_id, reason="laptop stolen", now=LATER, do_not_trust_after=BORN
    )


def test_the_notice_names_the_key_in_full_and_the_last_moment_of_trust() -> None:
    text = render_notice(compromised(), "1").decode()
    assert "endorsement-1.json" in text
    assert f"Key:                 1\n{'':21}{minisign_key(1).public_key}\n" in text
    assert "Do not trust after:  2026-01-05 12:00 UTC\n" in text
    assert "Reason:              laptop stolen\n" in text
    assert "New key:             none yet\n" in text
    assert max(map(len, text.splitlines())) < 80
    gpg = openpgp_key(1).id
    assert grouped_fingerprint(gpg) in render_notice(compromised(gpg), gpg).decode()


def test_the_notice_names_the_new_key_as_soon_as_there_is_one() -> None:
    known = rotate(compromised(), minisign_key(2), reason="compromise", now=LATER)
    assert minisign_key(2).public_key in render_notice(known, "1").decode()


def test_there_is_no_notice_about_a_key_that_is_not_compromised() -> None:
    with pytest.raises(PolicyRefused, match="not marked"):
        render_notice(registry(), "1")


def test_a_published_notice_is_checked_against_the_registry() -> None:
    notice = render_notice(compromised(), "1")
    check_notice(notice, compromised(), "1")
    with pytest.raises(BadSignature, match=notice_name("1")):
        check_notice(notice.replace(b"2026-01-05", b"2026-01-06"), compromised(), "1")


def test_a_rehearsed_notice_says_so() -> None:
    practice = registry(minisign_key(1, KeyState.REHEARSAL))
    marked = mark_compromised(practice, "1", reason="drill", now=LATER, do_not_trust_after=BORN)
    assert b"REHEARSAL" in render_notice(marked, "1")
    assert b"REHEARSAL" not in render_notice(compromised(), "1")
    assert "REHEARSAL" in render_drill_pack(practice)


def test_the_drill_pack_has_the_keys_in_use_and_a_box_for_each_step() -> None:
    text = render_drill_pack(registry())
    for needed in (
        minisign_key(1).public_key,
        grouped_fingerprint(openpgp_key(1).id),
        "pai-signer key revoke 1 --reason compromised",
        "list of endorsed releases",
        "journal verify",
    ):
        assert needed in " ".join(text.split()) or needed in text
    assert text.count("[ ]") == 13
    assert max(map(len, text.splitlines())) < 80
    assert text.isascii()


def test_the_drill_pack_of_one_key_asks_nothing_of_another() -> None:
    text = render_drill_pack(registry(minisign_key(1)))
    assert "OpenPGP" not in text
    assert "rotate minisign --reason" in text
    assert "rotate minisign or gpg" not in text
