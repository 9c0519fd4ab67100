"""Certificates that lose nothing: merged exports, and keys certified by each other (KEY-4).

Strict verifiers want the old self-signatures, which gpg itself drops.
"""

from pathlib import Path

import pytest

from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp import parse_key_listing
from pai_signer.domain.openpgp_certificate import armored, dearmored, split_packets
from pai_signer.domain.openpgp_signatures import parse_signature_listing
from pai_signer.errors import FormatError
from tests.adapters.gpg.homes import DATA, refused, state
from tests.adapters.gpg.old_keys import LATER, UNTIL, Judges, expiry_dates, old_key, stock_extension
from tests.keys import (
    RealClock,
    export_secret,
    install_weak_openpgp_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

# --- merging ------------------------------------------------------------------------------


def test_signatures_of_every_period_verify_with_the_merge_of_all_exports(
    tmp_path: Path, expired_home: Path, life: GpgLife
) -> None:
    key = old_key()
    keys = GpgKeys(expired_home, RealClock())
    certificates, signatures = [key.certificate], [key.signature]
    for until in (UNTIL, LATER):
        certificates.append(life.extend(key.fingerprint, until, weak_passphrase()).certificate)
        signatures.append(keys.sign_detached(DATA, key.fingerprint, weak_passphrase()))
    assert expiry_dates(expired_home, key.fingerprint) == [LATER, LATER]
    for number, order in enumerate((certificates, certificates[::-1])):
        judges = Judges(tmp_path / str(number), life.merged_certificate(order))
        assert [judges.sqv(s) for s in signatures] == [True] * 3
        assert [judges.gpgv(s) for s in signatures] == [True] * 3
        # Whoever imports the merge into gpg sees the newest expiry, whatever gpg drops of it.
        (found,) = parse_key_listing(judges.gpg("--with-colons", "--list-keys"))
        dates = [k.expires_at for k in (found.primary, *found.subkeys)]
        assert [d.date() for d in dates if d] == [LATER, LATER]


def test_strict_verifier_rejects_old_signatures_without_the_merge(
    tmp_path: Path, life: GpgLife
) -> None:
    key = old_key()
    assert Judges(tmp_path / "before", key.certificate).sqv(key.signature)
    alone = Judges(tmp_path / "alone", stock_extension())
    assert not alone.sqv(key.signature), "no binding signature at time ..."
    merged = life.merged_certificate([key.certificate, stock_extension()])
    assert Judges(tmp_path / "merged", merged).sqv(key.signature)


def test_gpg_alone_cannot_merge(tmp_path: Path) -> None:
    key = old_key()
    judges = Judges(tmp_path / "newer-first", stock_extension())
    (tmp_path / "old.asc").write_text(key.certificate)
    judges.gpg("--import", tmp_path / "old.asc")
    (judges.folder / "cert.asc").write_bytes(judges.gpg("--armor", "--export"))
    assert not judges.sqv(key.signature), "gpg dropped the older subkey binding"


def test_merge_keeps_every_packet_once(life: GpgLife) -> None:
    both = [old_key().certificate, stock_extension()]
    merged = life.merged_certificate([*both, both[0]])
    packets = [p for block in both for p in split_packets(dearmored(block))]
    assert set(split_packets(dearmored(merged))) == set(packets)
    assert len(split_packets(dearmored(merged))) == len(set(packets)) == 7
    assert life.merged_certificate([merged, *both]) == merged
    # Armor and checksum are what gpg writes.
    assert life.merged_certificate(both[:1]) == both[0]


def test_merge_of_different_keys_is_refused(life: GpgLife) -> None:
    blocks = [old_key().certificate, weak_openpgp_key().info.certificate]
    assert isinstance(refused("KEY-4/other-key", life.merged_certificate, blocks), FormatError)


def test_merge_refuses_what_is_no_certificate(life: GpgLife) -> None:
    good = old_key().certificate
    packets = split_packets(dearmored(good))
    with throwaway_home(for_secrets=False) as scratch:
        arguments = ["--dearmor"]
        secret = succeeded(scratch.run(arguments, stdin=weak_openpgp_key().secret_export)).stdout
    for code, bad in (
        ("KEY-4/format", armored(secret)),
        ("KEY-4/format", armored(packets[0].raw * 2)),
        ("KEY-4/format", armored(b"".join(p.raw for p in packets[1:]))),
        ("KEY-4/format", armored(packets[0].raw + packets[-1].raw)),
        ("KEY-4/format", armored(b"".join(p.raw for p in packets) + packets[1].raw)),
        ("KEY-4/format", armored(b"".join(p.raw for p in packets)[:-1])),
        ("KEY-4/format", armored(b"")),
        ("KEY-4/merged", armored(b"\xc6\x03\x04ab")),
        ("SIG-3/format", good + good),
        ("SIG-3/format", weak_openpgp_key().secret_export.decode()),
        ("SIG-3/format", old_key().signature.decode()),
        ("SIG-3/format", good.replace("\n=", "\n=A", 1)),
    ):
        refused(code, life.merged_certificate, [bad])
    refused("KEY-4/certificates", life.merged_certificate, [])
    refused("KEY-4/certificates", life.merged_certificate, [good] * 101)


# --- certifying ---------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, str, str]:
    """A home with the weak key and a second one, both alive."""
    home = tmp_path / "two"
    first = install_weak_openpgp_key(home).fingerprint
    key = old_key("2090-01-01", "2090-01-01")
    with throwaway_home(for_secrets=True) as scratch:
        key.install(scratch.path)
        secret = export_secret(scratch, key.fingerprint)
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=secret, passphrase=weak_passphrase()))
    return home, first, key.fingerprint


def certifiers(certificates: list[str], subject: str) -> set[str]:
    """Who has certified user IDs of ``subject``, as a clean gpg with all certificates sees it."""
    with throwaway_home(for_secrets=False) as judge:
        for certificate in certificates:
            succeeded(judge.run(["--import"], stdin=certificate.encode()))
        listing = succeeded(judge.run(["--with-colons", "--check-sigs", subject])).stdout
    return {
        signature.fingerprint
        for part in parse_signature_listing(listing)
        for signature in part.signatures
        if part.record == "uid" and signature.is_good
    }


def test_keys_certify_each_other_and_the_merge_keeps_it(two: tuple[Path, str, str]) -> None:
    home, old, new = two
    life = GpgLife(home, RealClock())
    certificates = [
        life.cross_certify(old, weak_passphrase(), new),
        life.cross_certify(new, weak_passphrase(), old),
    ]
    assert certifiers(certificates, new) == {old, new}
    assert certifiers(certificates, old) == {old, new}
    extended = life.extend(old, LATER, weak_passphrase()).certificate
    certificates[1] = life.merged_certificate([certificates[1], extended])
    assert certifiers(certificates, old) == {old, new}


def test_certifying_leaves_the_vault_as_it_was(two: tuple[Path, str, str]) -> None:
    home, old, new = two
    before = state(home)
    GpgLife(home, RealClock()).cross_certify(old, weak_passphrase(), new)
    assert state(home) == before


def test_certification_by_another_key_than_asked_is_not_taken(
    two: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, old, new = two
    before = state(home)
    real = GpgHome.run

    def no_signing(self: GpgHome, arguments: list[str], **options: object) -> Finished:
        if "--quick-sign-key" in arguments:
            arguments = ["--list-keys"]
        return real(self, arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(GpgHome, "run", no_signing)
    life = GpgLife(home, RealClock())
    refused("KEY-4/not-certified", life.cross_certify, old, weak_passphrase(), new)
    assert state(home) == before


def test_certifying_is_refused_without_the_passphrase_or_with_the_same_key(
    two: tuple[Path, str, str],
) -> None:
    home, old, new = two
    life, before = GpgLife(home, RealClock()), state(home)
    wrong = weak_passphrase(b"something")
    refused("KEY-1/wrong-passphrase", life.cross_certify, old, wrong, new)
    refused("KEY-4/same-key", life.cross_certify, old, weak_passphrase(), old)
    refused("KEY-1/no-secret-key", life.cross_certify, old, weak_passphrase(), "A" * 40)
    assert state(home) == before


def test_expired_keys_neither_certify_nor_are_certified(home: Path) -> None:
    old, new = old_key(), weak_openpgp_key().info.fingerprint
    with throwaway_home(for_secrets=True) as scratch:
        old.install(scratch.path)
        secret = export_secret(scratch, old.fingerprint)
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=secret, passphrase=weak_passphrase()))
    life, before = GpgLife(home, RealClock()), state(home)
    refused("POL-6/expired", life.cross_certify, old.fingerprint, weak_passphrase(), new)
    refused("POL-6/expired", life.cross_certify, new, weak_passphrase(), old.fingerprint)
    assert state(home) == before
