"""The later life of OpenPGP keys, with stock gpg, gpgv and sqv as judges (KEY-4, KEY-5)."""

import functools
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pai_signer.adapters import gpg_life, gpg_revocation
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.adapters.gpg_verify import GpgVerifier
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp import ListedCertificate, ListedKey, parse_key_listing
from pai_signer.domain.openpgp_certificate import (
    armored,
    dearmored,
    key_revocation_codes,
    split_packets,
)
from pai_signer.domain.openpgp_signatures import RevocationReason, parse_signature_listing
from pai_signer.domain.openpgp_status import parse_status
from pai_signer.domain.revocation import STOCK_TOOLS_HARD, STOCK_TOOLS_SOFT
from pai_signer.errors import (
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    ToolError,
    UntrustedKey,
)
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_USER_ID,
    WEAK_VALID_UNTIL,
    FixedClock,
    RealClock,
    export_secret,
    install_weak_openpgp_key,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)

DATA = b"aa  pai-1.2.3-amd64.iso\n"
UNTIL = WEAK_VALID_UNTIL
LATER = UNTIL.replace(year=UNTIL.year + 1)
SUPERSEDED, COMPROMISED = RevocationReason.SUPERSEDED, RevocationReason.COMPROMISED
RETIRED = RevocationReason.RETIRED

BIRTH = "20230101T000000"
SIGNED = "20230201T000000"


def at(home: GpgHome, moment: str, *arguments: str, stdin: bytes = b"") -> Finished:
    base = ["--faked-system-time", f"{moment}!", *arguments]
    return succeeded(home.run(base, stdin=stdin, passphrase=weak_passphrase()))


def made(finished: Finished) -> str:
    (fingerprint,) = (
        line.arguments[1] for line in parse_status(finished.status) if line.keyword == "KEY_CREATED"
    )
    return fingerprint


@dataclass(frozen=True)
class OldKey:
    """A key born in January 2023 with a signature of February 2023, in a whole GNUPGHOME."""

    fingerprint: str
    subkey: str
    certificate: str
    signature: bytes
    home_files: Mapping[str, bytes]

    def install(self, home: Path) -> None:
        for name, content in self.home_files.items():
            path = home / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600)


@functools.cache
def old_key(primary_expires: str = "2024-06-01", subkey_expires: str = "2024-06-01") -> OldKey:
    with TemporaryDirectory() as folder:
        home = Path(folder) / "gnupg"
        with vault_home(home) as opened:
            arguments = ("--quick-gen-key", WEAK_USER_ID, "ed25519", "cert", primary_expires)
            primary = made(at(opened, BIRTH, *arguments))
            arguments = ("--quick-add-key", primary, "ed25519", "sign", subkey_expires)
            subkey = made(at(opened, BIRTH, *arguments))
            certificate = export(opened, primary)
            sign = ("--armor", "--local-user", f"{subkey}!", "--detach-sign", "--output", "-")
            signature = at(opened, SIGNED, *sign, stdin=DATA).stdout
        files = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    return OldKey(primary, subkey, certificate, signature, files)


def export(home: GpgHome, fingerprint: str) -> str:
    return succeeded(home.run(["--armor", "--export", fingerprint])).stdout.decode()


def refused(code: str, call: Callable[..., object], *arguments: object) -> SignerError:
    with pytest.raises(SignerError) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert WEAK_PASSPHRASE.decode() not in f"{caught.value!r} {caught.value.summary}"
    return caught.value


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A vault's home with the old key in it, which has expired."""
    old_key().install(tmp_path / "gnupg")
    return tmp_path / "gnupg"


@pytest.fixture
def life(home: Path) -> GpgLife:
    return GpgLife(home, RealClock())


@pytest.fixture
def living(tmp_path: Path) -> Path:
    """A vault's home with the weak key in it, which lives."""
    install_weak_openpgp_key(tmp_path / "living")
    return tmp_path / "living"


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    assert list(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) == []


def state(home: Path) -> dict[str, bytes]:
    """The public keys and the secret ones, byte for byte."""
    files = [home / "pubring.kbx", *home.glob("private-keys-v1.d/*"), *home.glob("*revocs.d/*")]
    return {str(p): p.read_bytes() for p in files}


def listed(home: Path, fingerprint: str) -> ListedCertificate:
    with vault_home(home) as opened:
        listing = succeeded(opened.run(["--with-colons", "--list-keys", fingerprint])).stdout
    (certificate,) = parse_key_listing(listing)
    return certificate


def expiry_dates(home: Path, fingerprint: str) -> list[date | None]:
    certificate = listed(home, fingerprint)
    keys = (certificate.primary, *certificate.subkeys)
    return [k.expires_at.date() if k.expires_at else None for k in keys]


class Judges:
    """Stock verifiers with one certificate."""

    def __init__(self, folder: Path, certificate: str) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "data").write_bytes(DATA)
        (folder / "cert.asc").write_text(certificate)
        (folder / "cert.gpg").write_bytes(dearmored(certificate))
        (folder / "home").mkdir(mode=0o700)
        (folder / "home" / "gpg.conf").write_text("trust-model pgp\nno-auto-check-trustdb\n")
        self.gpg("--import", folder / "cert.asc")

    def gpg(self, *arguments: str | Path) -> bytes:
        base: list[str | Path] = [
            "gpg",
            "--homedir",
            self.folder / "home",
            "--batch",
            "--no-autostart",
        ]
        return subprocess.run([*base, *arguments], check=True, capture_output=True).stdout

    def says(self, tool: str, keyring: str, signature: bytes) -> bool:
        (self.folder / "sig.asc").write_bytes(signature)
        command: list[str | Path] = [
            tool,
            "--keyring",
            self.folder / keyring,
            self.folder / "sig.asc",
        ]
        judged = subprocess.run(
            [*command, self.folder / "data"], check=False, capture_output=True, text=True
        )
        return judged.returncode == 0

    def sqv(self, signature: bytes) -> bool:
        return self.says("sqv", "cert.asc", signature)

    def gpgv(self, signature: bytes) -> bool:
        return self.says("gpgv", "cert.gpg", signature)


# --- extending ----------------------------------------------------------------------------


def test_old_and_new_signatures_verify_after_an_expired_key_was_extended(
    tmp_path: Path, home: Path, life: GpgLife
) -> None:
    key = old_key()
    keys = GpgKeys(home, RealClock())
    refused("POL-6/expired", keys.sign_detached, DATA, key.fingerprint, weak_passphrase())
    info = life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [UNTIL, UNTIL]
    assert (info.fingerprint, info.signing_fingerprint) == (key.fingerprint, key.subkey)
    assert info.expires_at is not None
    assert info.expires_at.date() == UNTIL
    new = keys.sign_detached(DATA, key.fingerprint, weak_passphrase())
    merged = life.merged_certificate([key.certificate, info.certificate])
    judges = Judges(tmp_path / "merged", merged)
    for signature in (key.signature, new):
        assert judges.sqv(signature)
        assert judges.gpgv(signature)
        GpgVerifier(RealClock()).verify_detached(DATA, signature, [merged], [key.fingerprint])


def test_an_old_export_is_restored_with_the_newer_certificate_beside_it(
    tmp_path: Path, home: Path, life: GpgLife
) -> None:
    key = old_key()
    with vault_home(home) as opened:
        export_of_then = export_secret(opened, key.fingerprint)
    info = life.extend(key.fingerprint, UNTIL, weak_passphrase())
    restored = GpgKeys(tmp_path / "restored", RealClock())
    refused("POL-6/expired", restored.import_key, export_of_then, weak_passphrase())
    assert restored.stray(()) == ()
    imported = restored.import_key(export_of_then, weak_passphrase(), info.certificate)
    assert imported.expires_at == info.expires_at
    new = restored.sign_detached(DATA, key.fingerprint, weak_passphrase())
    GpgVerifier(RealClock()).verify_detached(DATA, new, [info.certificate], [key.fingerprint])


def test_a_certificate_of_another_key_is_not_taken_beside_it(tmp_path: Path) -> None:
    other, key = scratch_key(), weak_openpgp_key()
    restored = GpgKeys(tmp_path / "restored", RealClock())
    arguments = (key.secret_export, weak_passphrase(), other.certificate)
    refused("KEY-4/certificate", restored.import_key, *arguments)
    assert restored.stray(()) == ()


def test_signatures_of_every_period_verify_with_the_merge_of_all_exports(
    tmp_path: Path, home: Path, life: GpgLife
) -> None:
    key = old_key()
    keys = GpgKeys(home, RealClock())
    certificates, signatures = [key.certificate], [key.signature]
    for until in (UNTIL, LATER):
        certificates.append(life.extend(key.fingerprint, until, weak_passphrase()).certificate)
        signatures.append(keys.sign_detached(DATA, key.fingerprint, weak_passphrase()))
    assert expiry_dates(home, key.fingerprint) == [LATER, LATER]
    for number, order in enumerate((certificates, certificates[::-1])):
        judges = Judges(tmp_path / str(number), life.merged_certificate(order))
        assert [judges.sqv(s) for s in signatures] == [True] * 3
        assert [judges.gpgv(s) for s in signatures] == [True] * 3
        # Whoever imports the merge into gpg sees the newest expiry, whatever gpg drops of it.
        (found,) = parse_key_listing(judges.gpg("--with-colons", "--list-keys"))
        dates = [k.expires_at for k in (found.primary, *found.subkeys)]
        assert [d.date() for d in dates if d] == [LATER, LATER]


@functools.cache
def stock_extension() -> str:
    """The certificate as stock gpg exports it after ``--quick-set-expire``."""
    key = old_key()
    with TemporaryDirectory() as folder:
        key.install(Path(folder) / "gnupg")
        with vault_home(Path(folder) / "gnupg") as opened:
            for subkeys in ((), (key.subkey,)):
                arguments = ("--quick-set-expire", key.fingerprint, "2025-06-01", *subkeys)
                at(opened, "20230301T000000", *arguments)
            return export(opened, key.fingerprint)


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


def test_extension_begun_elsewhere_is_completed(home: Path, life: GpgLife) -> None:
    key = old_key()
    with vault_home(home) as opened:
        arguments = ["--quick-set-expire", key.fingerprint, UNTIL.isoformat()]
        succeeded(opened.run(arguments, passphrase=weak_passphrase()))
    assert expiry_dates(home, key.fingerprint) == [UNTIL, date(2024, 6, 1)]
    life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [UNTIL, UNTIL]


def test_failure_between_primary_and_subkey_changes_nothing_and_the_next_call_completes(
    home: Path, life: GpgLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before, calls = old_key(), state(home), []
    real = gpg_life._set_expiry

    def fail_second(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise ToolError("TEST/x", "x", "x")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gpg_life, "_set_expiry", fail_second)
    refused("TEST/x", life.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert len(calls) == 2
    assert state(home) == before
    life.extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [UNTIL, UNTIL]


def test_a_date_that_gpg_left_out_is_noticed(living: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gpg ends with 0 where it skips a subkey: the date is asserted for each key."""
    life, before = GpgLife(living, RealClock()), state(living)
    real = gpg_life._set_expiry

    def primary_alone(copy: GpgHome, primary: ListedKey, changed: ListedKey, *rest: Any) -> None:
        if changed.is_primary:
            real(copy, primary, changed, *rest)

    monkeypatch.setattr(gpg_life, "_set_expiry", primary_alone)
    fingerprint = weak_openpgp_key().info.fingerprint
    refused("KEY-4/expiry", life.extend, fingerprint, LATER, weak_passphrase())
    assert state(living) == before


def test_extension_to_the_date_it_has_changes_nothing_but_wants_the_passphrase(
    living: Path,
) -> None:
    life, fingerprint, before = (
        GpgLife(living, RealClock()),
        weak_openpgp_key().info.fingerprint,
        state(living),
    )
    info = life.extend(fingerprint, UNTIL, weak_passphrase())
    assert info.expires_at == weak_openpgp_key().info.expires_at
    refused(
        "KEY-1/wrong-passphrase", life.extend, fingerprint, UNTIL, weak_passphrase(b"something")
    )
    assert state(living) == before


def test_wrong_passphrase_extends_nothing(home: Path, life: GpgLife) -> None:
    before = state(home)
    arguments = (old_key().fingerprint, UNTIL, weak_passphrase(b"something"))
    assert isinstance(refused("KEY-1/wrong-passphrase", life.extend, *arguments), PolicyRefused)
    assert state(home) == before


def test_date_that_is_not_later_is_refused(living: Path) -> None:
    life, fingerprint = GpgLife(living, RealClock()), weak_openpgp_key().info.fingerprint
    before = state(living)
    for day in (UNTIL - timedelta(days=1), datetime.now(UTC).date(), date(2020, 1, 1)):
        refused("KEY-4/not-later", life.extend, fingerprint, day, weak_passphrase())
    assert state(living) == before


def test_expired_key_is_not_extended_to_a_day_that_is_over(home: Path, life: GpgLife) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    refused("KEY-4/not-later", life.extend, old_key().fingerprint, yesterday, weak_passphrase())


def test_date_that_gpg_cannot_write_changes_nothing(home: Path, life: GpgLife) -> None:
    before = state(home)
    with pytest.raises(ToolError):
        life.extend(old_key().fingerprint, date(2150, 1, 1), weak_passphrase())
    assert state(home) == before


def test_subkey_that_never_expires_stays_so(tmp_path: Path) -> None:
    key, home = old_key(subkey_expires="never"), tmp_path / "never"
    key.install(home)
    GpgLife(home, RealClock()).extend(key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [UNTIL, None]


def test_key_that_never_expires_is_not_given_an_end(tmp_path: Path) -> None:
    key, home = old_key("never", "never"), tmp_path / "never"
    key.install(home)
    life = GpgLife(home, RealClock())
    refused("KEY-4/never-expires", life.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert expiry_dates(home, key.fingerprint) == [None, None]


def test_clock_behind_the_newest_self_signature_is_refused_before_gpg_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before = old_key(), state(home)
    monkeypatch.setattr(gpg_life, "_set_expiry", lambda *_: pytest.fail("too late"))
    behind = GpgLife(home, FixedClock(datetime(2022, 12, 31, 23, 59, 59, tzinfo=UTC)))
    refused("POL-8/before-key", behind.extend, key.fingerprint, UNTIL, weak_passphrase())
    assert state(home) == before


@pytest.mark.parametrize("act", ["extend", "make_revocation", "prove_primary"])
def test_key_with_a_self_signature_from_the_future_waits(
    act: str, home: Path, life: GpgLife
) -> None:
    key = old_key()
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y%m%dT%H%M%S}"
    with vault_home(home) as opened:
        at(opened, tomorrow, "--quick-set-expire", key.fingerprint, UNTIL.isoformat())
    before = state(home)
    calls: dict[str, Callable[[], object]] = {
        "extend": lambda: life.extend(key.fingerprint, LATER, weak_passphrase()),
        "make_revocation": lambda: life.make_revocation(
            key.fingerprint, SUPERSEDED, "", weak_passphrase()
        ),
        "prove_primary": lambda: life.prove_primary(key.fingerprint, weak_passphrase()),
    }
    refused("POL-8/before-key", calls[act])
    assert state(home) == before


def test_key_without_its_primary_secret_is_not_extended(tmp_path: Path) -> None:
    key = weak_openpgp_key()
    with throwaway_home(for_secrets=True) as scratch:
        succeeded(scratch.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
        arguments = ["--export-secret-subkeys"]
        stub = succeeded(scratch.run(arguments, passphrase=weak_passphrase())).stdout
    with vault_home(tmp_path / "stub") as opened:
        succeeded(opened.run(["--import"], stdin=stub, passphrase=weak_passphrase()))
    life = GpgLife(tmp_path / "stub", RealClock())
    for act in (
        lambda: life.extend(key.info.fingerprint, LATER, weak_passphrase()),
        lambda: life.prove_primary(key.info.fingerprint, weak_passphrase()),
        lambda: life.make_revocation(key.info.fingerprint, SUPERSEDED, "", weak_passphrase()),
    ):
        refused("KEY-1/primary-missing", act)


def test_unknown_and_short_fingerprints_name_no_key(life: GpgLife) -> None:
    assert isinstance(
        refused("KEY-1/no-secret-key", life.extend, "A" * 40, UNTIL, weak_passphrase()), CannotTell
    )
    short = old_key().fingerprint[-16:]
    refused("KEY-2/fingerprint", life.extend, short, UNTIL, weak_passphrase())


# --- merging ------------------------------------------------------------------------------


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


# --- revoking -----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(RevocationReason))
def test_revocation_does_in_a_clean_gpg_and_in_sqv_what_its_reason_says(
    reason: RevocationReason, tmp_path: Path, home: Path, life: GpgLife
) -> None:
    key, before = old_key(), state(home)
    made = life.make_revocation(key.fingerprint, reason, "Moved: a \\x3a b", weak_passphrase())
    assert state(home) == before, "it is made, not imported"
    assert (made.reason, made.text) == (reason, "Moved: a \\x3a b")
    judges = Judges(tmp_path / "judge", key.certificate)
    (judges.folder / "rev.asc").write_bytes(made.block)
    shown = judges.gpg("--list-packets", judges.folder / "rev.asc")
    code = {SUPERSEDED: b"0x01", COMPROMISED: b"0x02", RETIRED: b"0x03"}[reason]
    assert b"sigclass 0x20" in shown
    assert b"revocation reason " + code in shown
    assert judges.sqv(key.signature)
    judges.gpg("--import", judges.folder / "rev.asc")
    (found,) = parse_key_listing(judges.gpg("--with-colons", "--list-keys"))
    assert found.primary.validity == "r"
    for certificate in (judges.gpg("--armor", "--export").decode(), made.certificate):
        (judges.folder / "cert.asc").write_text(certificate)
        assert judges.sqv(key.signature) == (not reason.is_hard)
    assert key_revocation_codes(made.certificate) == (reason.value,)


@pytest.mark.parametrize("reason", list(RevocationReason))
@pytest.mark.parametrize("expires", ["2024-06-01", "2090-01-01"])
def test_stock_tools_say_of_old_signatures_what_we_tell_before_a_revocation(
    reason: RevocationReason, expires: str, tmp_path: Path
) -> None:
    """gpg warns and exits with 0, gpgv does not look, sqv goes by the reason (``STOCK_TOOLS``)."""
    key = old_key(expires, expires)
    key.install(tmp_path / "gnupg")
    life = GpgLife(tmp_path / "gnupg", RealClock())
    made = life.make_revocation(key.fingerprint, reason, "", weak_passphrase())
    judges = Judges(tmp_path / "judge", made.certificate)
    assert judges.says("gpgv", "cert.gpg", key.signature)
    assert judges.sqv(key.signature) == (not reason.is_hard)
    (judges.folder / "sig.asc").write_bytes(key.signature)
    home, signed = judges.folder / "home", (judges.folder / "sig.asc", judges.folder / "data")
    said = subprocess.run(
        ["gpg", "--homedir", home, "--status-fd", "1", "--verify", *signed],
        check=False,
        capture_output=True,
    )
    assert said.returncode == 0
    assert b"WARNING: This key has been revoked by its owner!" in said.stderr
    # The trap: of an expired key the verdict is EXPKEYSIG, even if it was compromised.
    verdict = b"EXPKEYSIG" if expires < "2026" else b"REVKEYSIG"
    assert b"[GNUPG:] " + verdict in said.stdout
    assert b"[GNUPG:] KEYREVOKED" in said.stdout
    refused(
        "SIG-5/key-revoked",
        GpgVerifier(RealClock()).verify_detached,
        DATA,
        key.signature,
        [made.certificate],
        [key.fingerprint],
    )
    told = " ".join((*STOCK_TOOLS_HARD, *STOCK_TOOLS_SOFT))
    assert all(tool in told for tool in ("gpg --verify: good", "gpgv: good", "sqv: "))


def test_superseded_revocation_counts_from_its_date_on(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Made at birth, it rejects all that was signed since: rotation wants a fresh one.
    key = old_key()
    real = GpgHome.run

    def at_birth(self: GpgHome, arguments: list[str], **options: object) -> Finished:
        if "--gen-revoke" in arguments:
            arguments = ["--faked-system-time", f"{BIRTH}!", *arguments]
        return real(self, arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(GpgHome, "run", at_birth)
    life = GpgLife(home, RealClock())
    made = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase())
    assert made.created_at == datetime(2023, 1, 1, tzinfo=UTC)
    assert not Judges(tmp_path / "judge", made.certificate).sqv(key.signature)


def test_wrong_passphrase_makes_no_revocation(home: Path, life: GpgLife) -> None:
    before = state(home)
    arguments = (old_key().fingerprint, SUPERSEDED, "x", weak_passphrase(b"something"))
    refused("KEY-1/wrong-passphrase", life.make_revocation, *arguments)
    assert state(home) == before


@pytest.mark.parametrize("text", ["a\n\nb", "a\nb", "ü", "\x1b[2J", " a", "a ", "x" * 201])
def test_revocation_text_that_gpg_would_read_otherwise_is_refused(text: str, life: GpgLife) -> None:
    arguments = (old_key().fingerprint, SUPERSEDED, text, weak_passphrase())
    refused("KEY-5/revocation-text", life.make_revocation, *arguments)


def test_revocation_with_another_reason_than_asked_is_thrown_away(
    life: GpgLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The numbers of gpg's menu are not those of the packets.
    wrong = {SUPERSEDED: "1", COMPROMISED: "2", RETIRED: "2"}
    monkeypatch.setattr(gpg_revocation, "_MENU", wrong)
    for reason in RevocationReason:
        arguments = (old_key().fingerprint, reason, "", weak_passphrase())
        refused("KEY-5/not-as-asked", life.make_revocation, *arguments)


def test_applied_revocation_ends_signing_and_extending(living: Path) -> None:
    life, keys = GpgLife(living, RealClock()), GpgKeys(living, RealClock())
    fingerprint = weak_openpgp_key().info.fingerprint
    signature = keys.sign_detached(DATA, fingerprint, weak_passphrase())
    made = life.make_revocation(fingerprint, SUPERSEDED, "Rotated", weak_passphrase())
    applied = life.apply_revocation(fingerprint, made.block)
    assert (applied.reason, applied.text, applied.created_at) == (
        SUPERSEDED,
        "Rotated",
        made.created_at,
    )
    assert listed(living, fingerprint).primary.validity == "r"
    assert isinstance(
        refused(
            "SIG-5/key-revoked",
            GpgVerifier(RealClock()).verify_detached,
            DATA,
            signature,
            [applied.certificate],
            [fingerprint],
        ),
        UntrustedKey,
    )
    for act in (
        lambda: keys.sign_detached(DATA, fingerprint, weak_passphrase()),
        lambda: life.extend(fingerprint, LATER, weak_passphrase()),
        lambda: life.prove_primary(fingerprint, weak_passphrase()),
    ):
        refused("POL-6/revoked", act)


def test_revoking_twice_is_once_and_compromised_may_follow_superseded(
    tmp_path: Path, home: Path, life: GpgLife
) -> None:
    key = old_key()
    soft = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase())
    first = life.apply_revocation(key.fingerprint, soft.block)
    assert life.apply_revocation(key.fingerprint, soft.block) == first
    assert Judges(tmp_path / "soft", first.certificate).sqv(key.signature)
    hard = life.make_revocation(key.fingerprint, COMPROMISED, "Stolen", weak_passphrase())
    second = life.apply_revocation(key.fingerprint, hard.block)
    assert (second.reason, second.text) == (COMPROMISED, "Stolen")
    assert set(split_packets(dearmored(first.certificate))) < set(
        split_packets(dearmored(second.certificate))
    )
    assert not Judges(tmp_path / "hard", second.certificate).sqv(key.signature)


def test_checking_a_revocation_changes_nothing(home: Path, life: GpgLife) -> None:
    key = old_key()
    made = life.make_revocation(key.fingerprint, COMPROMISED, "x", weak_passphrase())
    before = state(home)
    assert life.check_revocation(key.fingerprint, made.block) == made
    assert state(home) == before


def test_revocation_of_another_key_or_a_damaged_one_is_refused(home: Path, life: GpgLife) -> None:
    key, before = old_key(), state(home)
    made = life.make_revocation(key.fingerprint, COMPROMISED, "x", weak_passphrase())
    packet = bytearray(dearmored(made.block.decode()))
    packet[-1] ^= 1
    other = scratch_key()
    for bad in (other.revocation, armored(bytes(packet)).encode()):
        for act in (life.check_revocation, life.apply_revocation):
            assert isinstance(refused("KEY-5/revocation", act, key.fingerprint, bad), FormatError)
    assert state(home) == before


def test_revocation_without_a_reason_is_refused(tmp_path: Path) -> None:
    # gpg makes one at birth (openpgp-revocs.d); it would kill every old signature.
    key, home = scratch_key(), tmp_path / "stock"
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
    life = GpgLife(home, RealClock())
    refused("KEY-5/reason", life.apply_revocation, key.fingerprint, key.revocation)
    assert listed(home, key.fingerprint).primary.validity != "r"


def test_nothing_is_smuggled_in_beside_a_revocation(home: Path, life: GpgLife) -> None:
    key, before = old_key(), state(home)
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    packet, stranger = dearmored(block.decode()), dearmored(scratch_key().certificate)
    for bad, code in (
        (armored(packet + stranger).encode(), "KEY-5/revocation"),
        (armored(packet * 2).encode(), "KEY-5/revocation"),
        (scratch_key().certificate.encode(), "KEY-5/revocation"),
        (block + scratch_key().certificate.encode(), "SIG-3/format"),
        (b":" + block, "SIG-3/format"),
        (b"", "SIG-3/format"),
    ):
        refused(code, life.apply_revocation, key.fingerprint, bad)
    assert state(home) == before


def test_revocation_of_the_future_is_refused(home: Path, life: GpgLife) -> None:
    key, before = old_key(), state(home)
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    behind = GpgLife(home, FixedClock(datetime.now(UTC) - timedelta(days=1)))
    refused("KEY-5/future-date", behind.apply_revocation, key.fingerprint, block)
    assert state(home) == before


def test_revocation_imports_although_the_vault_has_no_trustdb(home: Path, life: GpgLife) -> None:
    key = old_key()
    block = life.make_revocation(key.fingerprint, SUPERSEDED, "", weak_passphrase()).block
    # What "trust-model pgp" in our homes is for.
    with throwaway_home(for_secrets=False) as scratch:
        always = ["--trust-model", "always", "--import"]
        succeeded(scratch.run(always, stdin=key.certificate.encode()))
        trap = scratch.run(always, stdin=block)
        assert trap.exit_code != 0
        assert b"trustdb" in trap.stderr
    (home / "trustdb.gpg").unlink(missing_ok=True)
    assert life.apply_revocation(key.fingerprint, block).reason is SUPERSEDED


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


def test_expired_keys_neither_certify_nor_are_certified(living: Path) -> None:
    old, new = old_key(), weak_openpgp_key().info.fingerprint
    with throwaway_home(for_secrets=True) as scratch:
        old.install(scratch.path)
        secret = export_secret(scratch, old.fingerprint)
    with vault_home(living) as opened:
        succeeded(opened.run(["--import"], stdin=secret, passphrase=weak_passphrase()))
    life, before = GpgLife(living, RealClock()), state(living)
    refused("POL-6/expired", life.cross_certify, old.fingerprint, weak_passphrase(), new)
    refused("POL-6/expired", life.cross_certify, new, weak_passphrase(), old.fingerprint)
    assert state(living) == before


# --- proving ------------------------------------------------------------------------------


def test_proof_of_the_primary_leaves_no_trace(living: Path) -> None:
    life, before = GpgLife(living, RealClock()), state(living)
    life.prove_primary(weak_openpgp_key().info.fingerprint, weak_passphrase())
    assert state(living) == before


def test_proof_of_the_primary_wants_the_right_passphrase(living: Path) -> None:
    life, before = GpgLife(living, RealClock()), state(living)
    fingerprint = weak_openpgp_key().info.fingerprint
    wrong = weak_passphrase(b"something")
    refused("KEY-1/wrong-passphrase", life.prove_primary, fingerprint, wrong)
    refused("KEY-1/empty-passphrase", life.prove_primary, fingerprint, weak_passphrase(b""))
    assert state(living) == before


def test_unprotected_primary_is_not_proved(tmp_path: Path) -> None:
    key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "open") as opened:
        succeeded(opened.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
    life = GpgLife(tmp_path / "open", RealClock())
    refused("KEY-1/unprotected", life.prove_primary, key.fingerprint, weak_passphrase())


def test_damaged_secret_primary_is_not_proved(living: Path) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    with vault_home(living) as opened:
        listing = succeeded(opened.run(["--with-colons", "--list-secret-keys"])).stdout
    grip = next(x for x in listing.decode().split("\n") if x.startswith("grp:")).split(":")[9]
    file = living / "private-keys-v1.d" / f"{grip}.key"
    content = bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(bytes(content))
    # The subkey still signs; only this proof finds it.
    GpgKeys(living, RealClock()).prove(fingerprint, weak_passphrase())
    with pytest.raises(SignerError):
        GpgLife(living, RealClock()).prove_primary(fingerprint, weak_passphrase())
