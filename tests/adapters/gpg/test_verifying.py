"""Verifying a detached OpenPGP signature: full fingerprints, status lines, our clock (SIG-5)."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from pai_signer.adapters.gpg_home import throwaway_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_verify import MAX_DATA_BYTES, GpgVerifier
from pai_signer.domain.openpgp_armor import parse_armored_signature
from pai_signer.domain.openpgp_status import KeyExpired
from pai_signer.errors import BadSignature, CannotTell, UntrustedKey
from tests.adapters.gpg.homes import DATA, VERIFIER, refused
from tests.keys import FixedClock, scratch_key, succeeded, weak_openpgp_key, weak_passphrase


def test_good_signature_tells_primary_subkey_and_time(keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    signature = keys.sign_detached(DATA, info.fingerprint, weak_passphrase())
    other = scratch_key().certificate
    found = VERIFIER.verify_detached(DATA, signature, [other, info.certificate], [info.fingerprint])
    assert found.primary_fingerprint == info.fingerprint
    assert found.signing_fingerprint == info.signing_fingerprint
    assert abs(found.created_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_other_content_is_a_bad_signature() -> None:
    key = scratch_key(data=DATA)
    VERIFIER.verify_detached(DATA, key.signature, [key.certificate], [key.fingerprint])
    assert isinstance(
        refused(
            "SIG-5/bad-signature",
            VERIFIER.verify_detached,
            DATA + b"x",
            key.signature,
            [key.certificate],
            [key.fingerprint],
        ),
        BadSignature,
    )


def test_valid_signature_by_another_key_is_untrusted_with_or_without_its_certificate() -> None:
    key = scratch_key(data=DATA)
    info = weak_openpgp_key().info
    for certificates in ([info.certificate, key.certificate], [info.certificate], []):
        assert isinstance(
            refused(
                "SIG-5/unknown-key",
                VERIFIER.verify_detached,
                DATA,
                key.signature,
                certificates,
                [info.fingerprint],
            ),
            UntrustedKey,
        )


def test_signature_of_the_future_is_refused() -> None:
    key = scratch_key(data=DATA, signed="20990101T000000")
    assert isinstance(
        refused(
            "SIG-5/future-date",
            VERIFIER.verify_detached,
            DATA,
            key.signature,
            [key.certificate],
            [key.fingerprint],
        ),
        BadSignature,
    )


def test_key_expired_since_is_told_with_who_signed() -> None:
    key = scratch_key(data=DATA, expires="2024-06-01")
    error = refused(
        "SIG-5/key-expired-since",
        lambda: VERIFIER.verify_detached(DATA, key.signature, [key.certificate], [key.fingerprint]),
    )
    assert isinstance(error, KeyExpired)
    assert error.signed_by.primary_fingerprint == key.fingerprint
    assert error.signed_by.created_at == datetime(2024, 1, 2, tzinfo=UTC)


def test_key_that_expires_by_the_given_clock_has_expired() -> None:
    key = scratch_key(data=DATA, expires="2090-01-01")
    later = GpgVerifier(FixedClock(datetime(2091, 1, 1, tzinfo=UTC)))
    arguments = (DATA, key.signature, [key.certificate], [key.fingerprint])
    assert VERIFIER.verify_detached(*arguments).primary_fingerprint == key.fingerprint
    refused("SIG-5/key-expired-since", lambda: later.verify_detached(*arguments))


def test_revoked_key_is_untrusted() -> None:
    key = scratch_key(data=DATA)
    with throwaway_home(for_secrets=False) as home:
        for block in (key.certificate.encode(), key.revocation):
            succeeded(home.run(["--import"], stdin=block))
        revoked = succeeded(home.run(["--armor", "--export", key.fingerprint])).stdout.decode()
    assert isinstance(
        refused(
            "SIG-5/key-revoked",
            VERIFIER.verify_detached,
            DATA,
            key.signature,
            [revoked],
            [key.fingerprint],
        ),
        UntrustedKey,
    )
    # The revocation also counts where an older certificate stands beside it.
    both = [key.certificate, revoked]
    refused(
        "SIG-5/key-revoked",
        lambda: VERIFIER.verify_detached(DATA, key.signature, both, [key.fingerprint]),
    )


def test_expired_signature_is_refused() -> None:
    options = ("--default-sig-expire", "1d", "--armor", "--detach-sign")
    key = scratch_key(data=DATA, sign_options=options)
    refused(
        "SIG-5/signature-expired",
        lambda: VERIFIER.verify_detached(DATA, key.signature, [key.certificate], [key.fingerprint]),
    )


def test_signature_over_sha1_is_refused() -> None:
    options = ("--digest-algo", "SHA1", "--armor", "--detach-sign")
    key = scratch_key(data=DATA, sign_options=options)
    with pytest.raises((BadSignature, CannotTell)):
        VERIFIER.verify_detached(DATA, key.signature, [key.certificate], [key.fingerprint])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--armor", "--clear-sign"), "SIG-3/format"),
        (("--armor", "--sign"), "SIG-3/format"),
        (("--detach-sign",), "SIG-3/format"),
        (("--armor", "--textmode", "--detach-sign"), "SIG-5/signature-type"),
    ],
)
def test_anything_but_an_armored_binary_detached_signature_is_refused(
    options: tuple[str, ...], code: str
) -> None:
    key = scratch_key(data=DATA, sign_options=options)
    refused(
        code,
        lambda: VERIFIER.verify_detached(DATA, key.signature, [key.certificate], [key.fingerprint]),
    )


def test_two_signatures_are_refused_however_they_are_joined(keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    good = keys.sign_detached(DATA, info.fingerprint, weak_passphrase())
    old = scratch_key(data=DATA, expires="2024-06-01")
    joined = base64.encodebytes(
        parse_armored_signature(old.signature) + parse_armored_signature(good)
    )
    in_one_armor = b"-----BEGIN PGP SIGNATURE-----\n\n" + joined + b"-----END PGP SIGNATURE-----\n"
    for both in (old.signature + good, good + good, in_one_armor):
        refused(
            "SIG-3/format",
            VERIFIER.verify_detached,
            DATA,
            both,
            [info.certificate, old.certificate],
            [info.fingerprint],
        )


def test_bad_certificates_are_refused() -> None:
    key = scratch_key(data=DATA)
    empty_block = (
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
    )
    for bad, code in (
        ("garbage", "SIG-3/format"),
        (key.secret_export.decode(), "SIG-3/format"),
        (key.certificate * 2, "SIG-3/format"),
        (empty_block, "SIG-5/certificate"),
    ):
        refused(
            code,
            lambda bad=bad: VERIFIER.verify_detached(DATA, key.signature, [bad], [key.fingerprint]),
        )


def test_more_data_than_any_release_has_is_refused() -> None:
    key = scratch_key(data=DATA)
    huge = bytes(MAX_DATA_BYTES + 1)
    refused(
        "SIG-5/too-large",
        lambda: VERIFIER.verify_detached(huge, key.signature, [key.certificate], [key.fingerprint]),
    )


def test_expected_fingerprints_must_be_whole() -> None:
    key = scratch_key(data=DATA)
    refused(
        "KEY-2/fingerprint",
        lambda: VERIFIER.verify_detached(
            DATA, key.signature, [key.certificate], [key.fingerprint[-16:]]
        ),
    )
