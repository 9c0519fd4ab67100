"""What a certificate says of its own expiry, with gpg as the judge (CUS-2)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.domain.openpgp_certificate import merge_certificates
from pai_signer.domain.openpgp_expiry import certificate_expiry
from pai_signer.errors import FormatError
from tests.keys import (
    WEAK_VALID_UNTIL,
    RealClock,
    install_weak_openpgp_key,
    scratch_key,
    weak_openpgp_key,
    weak_passphrase,
)
from tests.registries import certificate


def test_it_is_what_gpg_says_of_a_key_with_a_signing_subkey() -> None:
    info = weak_openpgp_key().info
    assert info.expires_at is not None
    assert certificate_expiry(info.certificate) == info.expires_at
    assert info.expires_at.date() == WEAK_VALID_UNTIL


def test_a_key_that_signs_by_itself_and_one_that_never_expires() -> None:
    assert certificate_expiry(scratch_key().certificate) is None
    dated = scratch_key(expires="20250101T000000").certificate
    assert certificate_expiry(dated) == datetime(2025, 1, 1, tzinfo=UTC)


def test_after_an_extension_the_newest_statement_counts_in_any_order(tmp_path: Path) -> None:
    home = tmp_path / "gnupg"
    old = install_weak_openpgp_key(home)
    until = WEAK_VALID_UNTIL.replace(year=WEAK_VALID_UNTIL.year + 1)
    new = GpgLife(home, RealClock()).extend(old.fingerprint, until, weak_passphrase())
    assert certificate_expiry(old.certificate) == old.expires_at
    for order in ((old.certificate, new.certificate), (new.certificate, old.certificate)):
        assert certificate_expiry(merge_certificates(order)) == new.expires_at


def test_a_foreign_certification_says_nothing_about_the_expiry(tmp_path: Path) -> None:
    """Numbers in the place of signatures are nobody's: nothing is left to read."""
    with pytest.raises(FormatError) as error:
        certificate_expiry(certificate(1))
    assert error.value.code == "CUS-2/certificate"
