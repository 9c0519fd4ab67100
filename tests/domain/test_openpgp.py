"""gpg's words judged: status lines, listings, fingerprints, armor."""

import base64
from datetime import UTC, date, datetime, timedelta

import pytest

from pai_signer.domain.openpgp import (
    ListedCertificate,
    check_user_id,
    expires_on,
    grouped_fingerprint,
    parse_fingerprint,
    parse_key_listing,
)
from pai_signer.domain.openpgp_armor import (
    MAX_SIGNATURE_BYTES,
    check_armored_certificate,
    checksum_line,
    parse_armored_signature,
)
from pai_signer.domain.openpgp_status import (
    KeyExpired,
    SignedBy,
    failure_codes,
    judge_signature,
    parse_status,
    signature_created_by,
)
from pai_signer.errors import BadSignature, CannotTell, FormatError, SignerError, UntrustedKey

PRIMARY = "E9118D849A1BCDB11DCACF49CA136AD66A0B9B95"
SUBKEY = "5465339FA60AC9BB92EA92ECF0D41DAB82FD9E11"
OTHER = "48CFB00E5464C1BD24527B6CB251DA2A8D6D73CF"
SIGNED_AT = datetime.fromtimestamp(1795469904, UTC)
NOW = SIGNED_AT + timedelta(hours=1)

LISTING = f"""\
tru:o:1:1795469506:1:3:1:5
pub:u:255:22:CA136AD66A0B9B95:1795469506:1825070400::u:::cSC:::+::ed25519:::0:
fpr:::::::::{PRIMARY}:
grp:::::::::E77E69CFDE7DD3F529CBD4113E624FF13D2B3874:
uid:u::::1795469506::15BAF58422E2057B3EED0852562125C0D1699C70::A\\x3a B <a@b.c>::::::::::0:
uid:r::::1795469506::15BAF58422E2057B3EED0852562125C0D1699C71::Old <old@b.c>::::::::::0:
sub:u:255:22:F0D41DAB82FD9E11:1795469507:1825070400:::::s:::+::ed25519::
fpr:::::::::{SUBKEY}:
grp:::::::::0E849D8EBED9CC0839F00129F7FA3974893D724A:
"""
VALID = f"VALIDSIG {SUBKEY} 2026-11-23 1795469904 0 4 0 22 10 00 {PRIMARY}"
GOOD = "GOODSIG F0D41DAB82FD9E11 A <a@b.c>"


def status(*lines: str) -> bytes:
    return "".join(f"[GNUPG:] {line}\n" for line in lines).encode()


def judge(*lines: str, now: datetime = NOW, trusted: str = PRIMARY) -> SignedBy:
    return judge_signature(status(*lines), parse_key_listing(LISTING.encode()), [trusted], now)


def refusal(*lines: str, now: datetime = NOW, trusted: str = PRIMARY) -> SignerError:
    with pytest.raises(SignerError) as caught:
        judge(*lines, now=now, trusted=trusted)
    return caught.value


# --- verdicts -----------------------------------------------------------------------------


def test_good_needs_goodsig_and_validsig_by_the_expected_primary() -> None:
    assert judge("NEWSIG", GOOD, VALID) == SignedBy(PRIMARY, SUBKEY, SIGNED_AT)


def test_extra_unknown_keywords_are_ignored() -> None:
    assert judge("NEWSIG", "KEY_CONSIDERED x 0", GOOD, "FUTURE_WORD", VALID, "TRUST_NEVER")


@pytest.mark.parametrize(
    ("lines", "family", "code"),
    [
        (("NEWSIG", "BADSIG F0D41DAB82FD9E11 A"), BadSignature, "SIG-5/bad-signature"),
        (
            ("NEWSIG", f"ERRSIG F0D41DAB82FD9E11 22 8 00 1 9 {SUBKEY}", "NO_PUBKEY F0D4"),
            UntrustedKey,
            "SIG-5/unknown-key",
        ),
        (
            ("NEWSIG", "ERRSIG F0D41DAB82FD9E11 22 8 00 1 4 -"),
            CannotTell,
            "SIG-5/unchecked",
        ),
        (("NEWSIG", "REVKEYSIG F0D41DAB82FD9E11 A", VALID), UntrustedKey, "SIG-5/key-revoked"),
        (("NEWSIG", "EXPSIG F0D41DAB82FD9E11 A", VALID), BadSignature, "SIG-5/signature-expired"),
        (("NEWSIG", "EXPKEYSIG F0D41DAB82FD9E11 A", VALID), KeyExpired, "SIG-5/key-expired-since"),
        ((), CannotTell, "SIG-5/unchecked"),
        (("NODATA 4",), CannotTell, "SIG-5/unchecked"),
        (("NEWSIG", GOOD), CannotTell, "SIG-5/unchecked"),
        (("NEWSIG", VALID), CannotTell, "SIG-5/unchecked"),
        (("NEWSIG", GOOD, VALID, VALID), CannotTell, "SIG-5/unchecked"),
        ((GOOD, VALID), CannotTell, "SIG-5/unchecked"),
        (
            ("NEWSIG", "GOODSIG CA136AD66A0B9B95 A", VALID),
            CannotTell,
            "SIG-5/unchecked",
        ),
        (("NEWSIG", "GOODSIG 11 A", VALID), CannotTell, "SIG-5/unchecked"),
        (
            ("NEWSIG", GOOD, VALID.replace(PRIMARY, PRIMARY[:16])),
            CannotTell,
            "SIG-5/unchecked",
        ),
    ],
)
def test_each_verdict_has_its_own_error(
    lines: tuple[str, ...], family: type[SignerError], code: str
) -> None:
    error = refusal(*lines)
    assert type(error) is family
    assert error.code == code


def test_expired_and_good_signature_together_are_not_good() -> None:
    error = refusal("NEWSIG", "EXPKEYSIG F0D41DAB82FD9E11 A", VALID, "NEWSIG", GOOD, VALID)
    assert error.code == "SIG-5/several-signatures"
    assert refusal("NEWSIG", GOOD, "BADSIG F0D41DAB82FD9E11 A", VALID).code == error.code


def test_valid_signature_by_another_key_is_untrusted() -> None:
    error = refusal("NEWSIG", GOOD, VALID, trusted=OTHER)
    assert (type(error), error.code) == (UntrustedKey, "SIG-5/unknown-key")


def test_the_subkeys_own_fingerprint_grants_no_trust() -> None:
    assert refusal("NEWSIG", GOOD, VALID, trusted=SUBKEY).code == "SIG-5/unknown-key"


def test_signature_dated_in_the_future_is_refused() -> None:
    error = refusal("NEWSIG", GOOD, VALID, now=SIGNED_AT - timedelta(seconds=1))
    assert (type(error), error.code) == (BadSignature, "SIG-5/future-date")
    assert judge("NEWSIG", GOOD, VALID, now=SIGNED_AT)


def test_key_that_expired_since_tells_who_signed_and_that_it_was_in_time() -> None:
    # gpg says GOODSIG; the given time says that the key has expired since.
    error = refusal("NEWSIG", GOOD, VALID, now=datetime(2030, 1, 1, tzinfo=UTC))
    assert isinstance(error, KeyExpired)
    assert error.code == "SIG-5/key-expired-since"
    assert error.signed_by == SignedBy(PRIMARY, SUBKEY, SIGNED_AT)


def test_signature_made_after_the_keys_expiry_is_told_apart() -> None:
    late = VALID.replace("1795469904", "1825070401")
    now = datetime(2030, 1, 1, tzinfo=UTC)
    error = refusal("NEWSIG", "EXPKEYSIG F0D41DAB82FD9E11 A", late, now=now)
    assert (type(error), error.code) == (KeyExpired, "SIG-5/signed-after-expiry")


@pytest.mark.parametrize("broken", ["1", "2", "3", "99"])
def test_signature_over_a_broken_hash_is_refused(broken: str) -> None:
    error = refusal("NEWSIG", GOOD, VALID.replace(" 10 00 ", f" {broken} 00 "))
    assert (type(error), error.code) == (BadSignature, "SIG-5/weak-digest")


@pytest.mark.parametrize("form", ["3 0 22 10 00", "4 0 22 10 01", "4 0 22 10 10"])
def test_signature_of_another_type_or_version_is_refused(form: str) -> None:
    error = refusal("NEWSIG", GOOD, VALID.replace("4 0 22 10 00", form))
    assert error.code == "SIG-5/signature-type"


def test_line_without_the_status_prefix_is_not_believed() -> None:
    with pytest.raises(CannotTell) as caught:
        parse_status(b"gpg: Good signature\n")
    assert caught.value.code == "SIG-5/gpg-output"


def test_newline_smuggled_into_a_user_id_gives_no_second_verdict() -> None:
    # gpg escapes it as %0A; were it raw, the line would lack the prefix and be refused.
    assert judge("NEWSIG", GOOD + "%0A[GNUPG:] BADSIG", VALID)


# --- other status lines -------------------------------------------------------------------


def test_failure_codes_lose_their_source() -> None:
    lines = parse_status(
        status("FAILURE sign 67108875", "ERROR keysig 33554509_NO_AGENT", "ERROR x", "FAILURE y z")
    )
    assert failure_codes(lines) == {11, 77}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"SIG_CREATED D 22 10 00 1795469904 {SUBKEY}", SUBKEY),
        (f"SIG_CREATED C 22 10 01 1795469904 {SUBKEY}", None),
        (f"SIG_CREATED S 22 10 00 1795469904 {SUBKEY}", None),
        (f"SIG_CREATED D 22 10 01 1795469904 {SUBKEY}", None),
        ("SIG_CREATED D 22 10 00", None),
        ("BEGIN_SIGNING H10", None),
    ],
)
def test_only_one_detached_binary_signature_counts_as_created(line: str, key: str | None) -> None:
    assert signature_created_by(parse_status(status(line))) == key
    assert signature_created_by(parse_status(status(line, line))) is None


# --- fingerprints and user IDs ------------------------------------------------------------


def test_fingerprint_forgives_spaces_and_case_only() -> None:
    assert parse_fingerprint(grouped_fingerprint(PRIMARY).lower()) == PRIMARY


@pytest.mark.parametrize(
    "text", ["", PRIMARY[:-1], PRIMARY + "0", PRIMARY[-16:], "0x" + PRIMARY, PRIMARY[:-1] + "G"]
)
def test_key_ids_and_other_forms_are_no_fingerprint(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_fingerprint(text)
    assert caught.value.code == "KEY-2/fingerprint"


def test_fingerprint_is_grouped_as_gpg_prints_it() -> None:
    assert grouped_fingerprint(PRIMARY) == "E911 8D84 9A1B CDB1 1DCA  CF49 CA13 6AD6 6A0B 9B95"


@pytest.mark.parametrize("user_id", ["A <a@b.c>", "Zo\u00eb B (PAI) <z@b.c>"])
def test_ordinary_user_ids_pass(user_id: str) -> None:
    assert check_user_id(user_id) == user_id


@pytest.mark.parametrize(
    "user_id",
    [
        "",
        "A",
        "a@b.c",
        "<a@b.c>",
        "A <a@b.c>\n%no-protection",
        "A\nExpire-Date: 0 <a@b.c>",
        "A <x@y.z> <a@b.c>",
        "A <a@b.c> B",
        "A <a@b.c> ",
        " A <a@b.c>",
        "A <a b@c>",
        "A\x1b[2J <a@b.c>",
        "A\u202e <a@b.c>",
        "A\x00 <a@b.c>",
        "A" * 300 + " <a@b.c>",
    ],
)
def test_user_id_injection_is_refused(user_id: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_user_id(user_id)
    assert caught.value.code == "KEY-1/user-id"


# --- listings -----------------------------------------------------------------------------


def listed(text: str = LISTING) -> ListedCertificate:
    (certificate,) = parse_key_listing(text.encode())
    return certificate


def test_listing_gives_full_fingerprints_dates_and_own_capabilities() -> None:
    certificate = listed()
    (subkey,) = certificate.subkeys
    assert (certificate.primary.fingerprint, subkey.fingerprint) == (PRIMARY, SUBKEY)
    # "cSC": the primary itself only certifies; S says that the key as a whole can sign.
    assert (certificate.primary.flags, subkey.flags) == ("c", "s")
    assert certificate.user_ids == ("A: B <a@b.c>",)
    assert expires_on(subkey.expires_at, date(2027, 11, 1))
    assert not expires_on(subkey.expires_at, date(2027, 11, 2))
    assert not expires_on(None, date(2027, 11, 1))


def test_signing_key_is_the_newest_usable_subkey() -> None:
    newer = (
        "sub:u:255:22:B251DA2A8D6D73CF:1795469600:1825070400:::::s:::+::ed25519::\n"
        f"fpr:::::::::{OTHER}:\n"
    )
    key = listed(LISTING + newer).signing_key(NOW)
    assert key is not None
    assert key.fingerprint == OTHER
    revoked = listed(LISTING + newer.replace("sub:u", "sub:r")).signing_key(NOW)
    assert revoked is not None
    assert revoked.fingerprint == SUBKEY


def test_certify_only_primary_never_signs_in_place_of_an_expired_subkey() -> None:
    assert listed(LISTING.replace("sub:u", "sub:e")).signing_key(NOW) is None
    assert listed().signing_key(datetime(2030, 1, 1, tzinfo=UTC)) is None


def test_control_characters_in_a_user_id_are_escaped() -> None:
    assert listed(LISTING.replace("\\x3a", "\\x1b")).user_ids == ("A\\x1b B <a@b.c>",)


@pytest.mark.parametrize(
    "text",
    [
        "pub:u:255:22\n",
        LISTING.replace(f"fpr:::::::::{SUBKEY}:\n", ""),
        LISTING[LISTING.index("sub:") :],
        LISTING[LISTING.index("uid:") :],
        LISTING.replace("1795469507", "tomorrow"),
        LISTING.replace(SUBKEY, SUBKEY + "AA"),
    ],
)
def test_listing_that_is_not_as_documented_is_refused(text: str) -> None:
    with pytest.raises((CannotTell, FormatError)):
        parse_key_listing(text.encode())


# --- armor --------------------------------------------------------------------------------

PACKET = bytes([0x88, 4]) + b"body"


CHECKSUM = checksum_line(PACKET).encode()


def armored(packets: bytes, *, kind: str = "PGP SIGNATURE", headers: str = "") -> bytes:
    body = f"{base64.b64encode(packets).decode()}\n{checksum_line(packets)}"
    return f"-----BEGIN {kind}-----\n{headers}\n{body}\n-----END {kind}-----\n".encode()


@pytest.mark.parametrize(
    "packet",
    [
        PACKET,
        bytes([0x89, 0, 4]) + b"body",
        bytes([0x8A, 0, 0, 0, 4]) + b"body",
        bytes([0xC2, 4]) + b"body",
        bytes([0xC2, 192, 0]) + bytes(192),
        bytes([0xC2, 255, 0, 0, 0, 4]) + b"body",
    ],
)
def test_one_signature_packet_in_any_length_form_passes(packet: bytes) -> None:
    assert parse_armored_signature(armored(packet)) == packet


def test_armor_headers_are_allowed() -> None:
    assert parse_armored_signature(armored(PACKET, headers="Version: GnuPG v2\n")) == PACKET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PACKET,
        armored(b""),
        armored(PACKET) + armored(PACKET),
        armored(PACKET + PACKET),
        armored(PACKET[:-1]),
        armored(PACKET + b"x"),
        armored(bytes([0x8B, 4]) + b"body"),
        armored(bytes([0xC2, 224]) + b"body"),
        armored(bytes([0x98, 4]) + b"body"),
        armored(b"body"),
        armored(PACKET, kind="PGP MESSAGE"),
        armored(PACKET, kind="PGP SIGNED MESSAGE"),
        b"hello\n" + armored(PACKET),
        armored(PACKET) + b"hello\n",
        armored(PACKET).replace(b"\n", b"\r\n"),
        armored(PACKET, headers="\x1b[2J\n"),
        armored(PACKET).replace(b"\n\n", b"\n"),
        armored(PACKET).replace(CHECKSUM, b"\xff"),
        armored(PACKET).replace(CHECKSUM, b"=AAAA"),
    ],
)
def test_anything_but_one_armored_detached_signature_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        parse_armored_signature(data)
    assert caught.value.code == "SIG-3/format"


def test_a_second_spelling_of_the_same_bytes_is_refused() -> None:
    """The last character of base64 has bits that mean nothing: no byte of ours may change."""
    packet = bytes([0x88, 5]) + b"body!"
    whole = armored(packet)
    assert parse_armored_signature(whole) == packet
    with pytest.raises(FormatError, match="canonical"):
        parse_armored_signature(whole.replace(b"IQ==", b"IR=="))


def test_the_checksum_may_be_missing_and_is_never_wrong() -> None:
    assert parse_armored_signature(armored(PACKET).replace(CHECKSUM + b"\n", b"")) == PACKET
    with pytest.raises(FormatError, match="checksum"):
        parse_armored_signature(armored(PACKET).replace(CHECKSUM, b"=AAAA"))


def test_oversized_signature_is_refused() -> None:
    with pytest.raises(FormatError, match="larger"):
        parse_armored_signature(b"-" * (MAX_SIGNATURE_BYTES + 1))


def test_certificate_is_one_public_key_block() -> None:
    block = armored(PACKET, kind="PGP PUBLIC KEY BLOCK").decode()
    check_armored_certificate(block)
    secret = armored(PACKET, kind="PGP PRIVATE KEY BLOCK").decode()
    for bad in (secret, block + block, block + secret, "\u00e9" + block):
        with pytest.raises(FormatError):
            check_armored_certificate(bad)
