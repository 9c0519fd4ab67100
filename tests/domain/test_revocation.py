"""Which key may be revoked for what, and how a revoked certificate is judged (KEY-5)."""

from collections.abc import Callable

import msgspec
import pytest

from pai_signer.domain.openpgp_certificate import (
    armored,
    dearmored,
    key_revocation_codes,
    merge_certificates,
    split_packets,
)
from pai_signer.domain.registry import Algorithm, KeyState, RegisteredKey, Registry
from pai_signer.domain.registry_rules import mark_compromised, retire, rotate
from pai_signer.domain.revocation import (
    PACKET_REASONS,
    RevokeReason,
    check_certificate_wanted,
    check_no_hidden_compromise,
    check_revocable,
    judged_certificate,
    stock_tools,
)
from pai_signer.errors import FormatError, PolicyRefused, SignerError, UntrustedKey, UsageError
from tests.registries import BORN, YEAR, altered, minisign_key, openpgp_key, registry

GPG = openpgp_key(1).id
LATER = BORN + YEAR


def packet(tag: int, body: bytes) -> bytes:
    return bytes((0x80 | tag << 2, len(body))) + body


def revocation(subpackets: bytes, *, length: int | None = None) -> bytes:
    """A version 4 signature of class 0x20 with these hashed subpackets."""
    size = len(subpackets) if length is None else length
    return packet(2, b"\x04\x20\x16\x08" + size.to_bytes(2, "big") + subpackets)


def reason(code: int, *, critical: bool = False) -> bytes:
    return bytes((4, 29 | (0x80 if critical else 0), code)) + b"hm"


CREATED = b"\x05\x02\x00\x00\x00\x01"


def revoked(*subpackets: bytes, key: RegisteredKey | None = None) -> RegisteredKey:
    """A key whose certificate holds one revocation for each of ``subpackets``."""
    key = key or openpgp_key(1)
    first, *rest = split_packets(dearmored(key.public_key))
    inserted = b"".join(map(revocation, subpackets))
    block = armored(first.raw + inserted + b"".join(p.raw for p in rest))
    return altered(key, public_key=block)


def with_key(key: RegisteredKey, *others: RegisteredKey) -> Registry:
    return registry(minisign_key(1), key, *others)


@pytest.mark.parametrize(
    ("subpackets", "code"),
    [
        (CREATED + reason(1), 1),
        (reason(2) + CREATED, 2),
        (reason(3, critical=True), 3),
        (b"\xff\x00\x00\x00\x02\x1d\x01", 1),
        (CREATED, None),
        (b"", None),
        (b"\x00", None),
        (b"\x05\x1d", None),
        (b"\x01\x1d", None),
        (b"\xc0", None),
        (b"\xff\x00", None),
    ],
)
def test_the_reason_is_read_from_the_hashed_part(subpackets: bytes, code: int | None) -> None:
    assert key_revocation_codes(revoked(subpackets).public_key) == (code,)


def test_what_is_cut_off_gives_no_reason() -> None:
    first, *rest = split_packets(dearmored(openpgp_key(1).public_key))
    cut = revocation(reason(1), length=200)
    block = armored(first.raw + cut + b"".join(p.raw for p in rest))
    assert key_revocation_codes(block) == (None,)
    assert key_revocation_codes(openpgp_key(1).public_key) == ()


def test_every_revocation_of_the_key_counts() -> None:
    assert key_revocation_codes(revoked(reason(1), reason(2)).public_key) == (1, 2)


# --- who may be revoked for what ------------------------------------------------------------


@pytest.mark.parametrize("why", PACKET_REASONS)
def test_an_active_key_may_be_retired_or_compromised(why: RevokeReason) -> None:
    for key_id in ("1", GPG):
        if why == "superseded":
            with pytest.raises(PolicyRefused) as refused:
                check_revocable(registry(), key_id, why)
            assert refused.value.code == "KEY-5/no-successor"
        else:
            assert check_revocable(registry(), key_id, why).id == key_id


def test_a_retired_key_is_revoked_softly_once_and_hard_after_that() -> None:
    known = rotate(registry(), openpgp_key(2), reason="scheduled", now=LATER)
    assert check_revocable(known, GPG, "superseded").id == GPG
    soft = revoked(reason(1), key=known.find(GPG))
    told = msgspec.structs.replace(
        known, keys=tuple(soft if key.id == GPG else key for key in known.keys)
    )
    with pytest.raises(PolicyRefused) as refused:
        check_revocable(told, GPG, "superseded")
    assert refused.value.code == "KEY-5/revoked-already"
    assert check_revocable(told, GPG, "compromised").id == GPG


def test_a_retired_minisign_key_has_nothing_to_revoke() -> None:
    known = rotate(registry(), minisign_key(2), reason="scheduled", now=LATER)
    with pytest.raises(PolicyRefused) as refused:
        check_revocable(known, "1", "superseded")
    assert refused.value.code == "KEY-5/nothing-to-revoke"
    assert check_revocable(known, "1", "compromised").id == "1"


def test_a_compromised_key_is_not_revoked_again() -> None:
    marked = mark_compromised(registry(), "1", reason="stolen", now=LATER, do_not_trust_after=BORN)
    for why in PACKET_REASONS:
        with pytest.raises(PolicyRefused) as refused:
            check_revocable(marked, "1", why)
        assert refused.value.code == "KEY-5/revoked-already"


def test_somebody_has_to_be_left_to_sign() -> None:
    alone = registry(minisign_key(1))
    for why in ("compromised", "retired"):
        with pytest.raises(PolicyRefused, match="only key that can sign") as refused:
            check_revocable(alone, "1", why)
        assert "gpg" in refused.value.hint
    ended = retire(registry(), "1", reason="gone", now=LATER)
    assert check_revocable(ended, "1", "compromised").id == "1"


def test_a_prepared_certificate_is_for_a_compromised_openpgp_key_only() -> None:
    check_certificate_wanted(openpgp_key(1), "compromised")
    for key, why in ((openpgp_key(1), "retired"), (minisign_key(1), "compromised")):
        with pytest.raises(UsageError):
            check_certificate_wanted(key, why)  # type: ignore[arg-type]


# --- what the registry makes of it --------------------------------------------------------------


def marked(certificate: str) -> Registry:
    return mark_compromised(
        registry(), GPG, reason="x", now=LATER, do_not_trust_after=BORN, certificate=certificate
    )


def retired(certificate: str) -> Registry:
    return retire(registry(), GPG, reason="x", now=LATER, certificate=certificate)


@pytest.mark.parametrize("change", [marked, retired])
def test_the_grown_certificate_is_taken_in_and_another_one_never(
    change: Callable[[str], Registry],
) -> None:
    block = revoked(reason(2)).public_key
    changed = change(merge_certificates([openpgp_key(1).public_key, block]))
    assert key_revocation_codes(changed.find(GPG).public_key) == (2,)
    assert changed.serial == registry().serial + 1
    with pytest.raises((PolicyRefused, FormatError)):
        change(openpgp_key(2).public_key)


def test_only_of_a_key_that_ended_the_registry_speaks_for_the_certificate() -> None:
    key = revoked(reason(1))
    assert key_revocation_codes(judged_certificate(key)) == (1,)
    for life in (KeyState.RETIRED, KeyState.COMPROMISED):
        judged = judged_certificate(altered(key, state=life))
        assert judged == openpgp_key(1).public_key
    assert judged_certificate(minisign_key(1)) == minisign_key(1).public_key


@pytest.mark.parametrize("codes", [(2,), (1, 2), (0,), (None,)])
def test_a_retired_key_that_was_revoked_hard_is_not_trusted(codes: tuple[int | None, ...]) -> None:
    packets = tuple(CREATED if code is None else reason(code) for code in codes)
    key = revoked(*packets, key=openpgp_key(1, KeyState.RETIRED))
    with pytest.raises(UntrustedKey) as refused:
        check_no_hidden_compromise(key)
    assert refused.value.code == "KEY-5/hidden-compromise"


def test_a_retired_key_that_was_revoked_softly_or_not_at_all_is_trusted() -> None:
    for packets in ((), (reason(1),), (reason(3), reason(1))):
        check_no_hidden_compromise(revoked(*packets, key=openpgp_key(1, KeyState.RETIRED)))
    check_no_hidden_compromise(minisign_key(1, KeyState.RETIRED))


def test_what_stock_tools_say_is_told_for_each_system_and_reason() -> None:
    assert "no revocation" in " ".join(stock_tools(Algorithm.MINISIGN, "compromised"))
    assert "refused, whenever" in " ".join(stock_tools(Algorithm.OPENPGP, "compromised"))
    for why in ("superseded", "retired"):
        assert "sqv: good" in " ".join(stock_tools(Algorithm.OPENPGP, why))


def test_every_refusal_says_what_to_do() -> None:
    with pytest.raises(SignerError) as refused:
        check_revocable(registry(minisign_key(1)), "1", "compromised")
    assert refused.value.hint
    assert refused.value.unchanged == "No key was revoked."
