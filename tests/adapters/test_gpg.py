"""OpenPGP keys, signing and verifying, with stock gpg, gpgv and sqv as judges."""

import base64
import logging
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pai_signer.adapters import durable, gpg_commands, gpg_home, process
from pai_signer.adapters.gpg_home import throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_verify import MAX_DATA_BYTES, GpgVerifier
from pai_signer.domain.openpgp import parse_key_listing
from pai_signer.domain.openpgp_armor import parse_armored_signature
from pai_signer.domain.openpgp_certificate import dearmored
from pai_signer.domain.openpgp_status import KeyExpired
from pai_signer.domain.secret import Secret
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    PolicyRefused,
    SignerError,
    ToolError,
    UntrustedKey,
    UsageError,
)
from tests.keys import (
    WEAK_PASSPHRASE,
    WEAK_USER_ID,
    WEAK_VALID_UNTIL,
    FixedClock,
    RealClock,
    install_weak_openpgp_key,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)
from tests.watching import watched

DATA = b"aa  pai-1.2.3-amd64.iso\n"
VERIFIER = GpgVerifier(RealClock())


def refused(code: str, call: Callable[..., object], *arguments: object) -> SignerError:
    with pytest.raises(SignerError) as caught:
        call(*arguments)
    assert caught.value.code == code
    shown = f"{caught.value!r} {caught.value.summary} {caught.value.hint}"
    assert WEAK_PASSPHRASE.decode() not in shown
    return caught.value


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the weak key in it."""
    install_weak_openpgp_key(tmp_path / "gnupg")
    return tmp_path / "gnupg"


@pytest.fixture
def keys(home: Path) -> GpgKeys:
    return GpgKeys(home, RealClock())


@pytest.fixture
def empty(tmp_path: Path) -> GpgKeys:
    return GpgKeys(tmp_path / "empty", RealClock())


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    assert list(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) == []
    assert our_agents() == []


def private_keys(home: Path) -> list[str]:
    return sorted(p.name for p in home.glob("private-keys-v1.d/*"))


def fingerprints(home: Path) -> list[str]:
    with vault_home(home) as opened:
        listing = opened.run(["--with-colons", "--list-secret-keys"]).stdout
    return [c.primary.fingerprint for c in parse_key_listing(listing)]


def our_agents(*, ending_within_s: float = 10) -> list[bytes]:
    """Living gpg-agents of this process's homes; one that is ending gets a moment to be gone."""
    give_up_at_s = time.monotonic() + ending_within_s
    while (found := _our_agents()) and time.monotonic() < give_up_at_s:
        time.sleep(0.02)
    return found


def _our_agents() -> list[bytes]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"gpg-agent" in command and f"/pai-{os.getpid()}-".encode() in command:
            found.append(command)
    return found


# --- generating ---------------------------------------------------------------------------


def test_generated_key_is_a_certifying_primary_with_a_signing_subkey(home: Path) -> None:
    info = weak_openpgp_key().info
    with vault_home(home) as opened:
        listing = opened.run(["--with-colons", "--list-secret-keys"]).stdout
    (certificate,) = parse_key_listing(listing)
    (subkey,) = certificate.subkeys
    assert (certificate.primary.flags, subkey.flags) == ("c", "s")
    assert (certificate.primary.algorithm, subkey.algorithm) == ("ed25519", "ed25519")
    for key in (certificate.primary, subkey):
        assert key.expires_at is not None
        assert key.expires_at.date() == WEAK_VALID_UNTIL
    assert info.fingerprint == certificate.primary.fingerprint
    assert info.signing_fingerprint == subkey.fingerprint
    assert info.user_id == WEAK_USER_ID
    assert info.expires_at == subkey.expires_at
    assert info.certificate.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n")


@pytest.mark.usefixtures("stock_strength")
def test_generated_secret_keys_are_protected_as_strongly_as_openpgp_can_say(
    empty: GpgKeys, tmp_path: Path
) -> None:
    empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    files = sorted(tmp_path.glob("empty/private-keys-v1.d/*.key"))
    assert len(files) == 2
    for file in files:
        content = file.read_bytes()
        assert b"protected-private-key" in content
        assert b"65011712" in content


def test_two_keys_may_have_the_same_user_id(keys: GpgKeys, home: Path) -> None:
    second = keys.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    assert sorted(fingerprints(home)) == sorted(
        [weak_openpgp_key().info.fingerprint, second.fingerprint]
    )


def test_a_name_in_other_letters_is_kept(tmp_path: Path, empty: GpgKeys) -> None:
    name = "Zoë Żółkiewska <zoe@test.invalid>"
    made = empty.generate(name, WEAK_VALID_UNTIL, weak_passphrase())
    assert made.user_id == name
    # What goes into the certificate is UTF-8, whatever the terminal speaks.
    assert name.encode() in dearmored(made.certificate)


@pytest.mark.parametrize(
    "user_id", ["A\n%no-protection <a@b.c>", "A <a@b.c>\x1b", "<a@b.c>", "A <b> <a@b.c>", ""]
)
def test_user_id_injection_makes_no_key(user_id: str, tmp_path: Path, empty: GpgKeys) -> None:
    assert isinstance(
        refused("KEY-1/user-id", empty.generate, user_id, WEAK_VALID_UNTIL, weak_passphrase()),
        FormatError,
    )
    assert not (tmp_path / "empty").exists()


def test_user_id_like_an_option_is_only_a_name(empty: GpgKeys) -> None:
    user_id = "--version <a@b.c>"
    info = empty.generate(user_id, WEAK_VALID_UNTIL, weak_passphrase())
    assert info.user_id == user_id


@pytest.mark.parametrize("act", ["generate", "import_key", "prove", "sign_detached"])
def test_empty_passphrase_is_refused(act: str, tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    nothing = Secret(bytearray())
    calls: dict[str, Callable[[], object]] = {
        "generate": lambda: empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, nothing),
        "import_key": lambda: empty.import_key(key.secret_export, nothing),
        "prove": lambda: empty.prove(key.info.fingerprint, nothing),
        "sign_detached": lambda: empty.sign_detached(DATA, key.info.fingerprint, nothing),
    }
    refused("KEY-1/empty-passphrase", calls[act])
    assert not (tmp_path / "empty").exists()


def test_passphrase_with_a_second_line_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    two_lines = weak_passphrase(b"first\nsecond")
    assert isinstance(
        refused("KEY-1/passphrase-form", empty.generate, WEAK_USER_ID, WEAK_VALID_UNTIL, two_lines),
        UsageError,
    )
    assert not (tmp_path / "empty").exists()


def test_expiry_in_the_past_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    today = datetime.now(UTC).date()
    refused("KEY-1/valid-until", lambda: empty.generate(WEAK_USER_ID, today, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_expiry_that_gpg_cannot_write_leaves_no_key(tmp_path: Path, empty: GpgKeys) -> None:
    with pytest.raises(ToolError):
        empty.generate(WEAK_USER_ID, date(2150, 1, 1), weak_passphrase())
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []


def test_key_that_cannot_be_proved_is_removed_again(
    tmp_path: Path, empty: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BadSignature("TEST/x", "x", "x")

    monkeypatch.setattr(GpgVerifier, "verify_detached", fail)
    refused("TEST/x", empty.generate, WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    monkeypatch.undo()
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []
    assert list((tmp_path / "empty").glob("openpgp-revocs.d/*")) == []


def test_discard_removes_secret_public_and_revocation(home: Path, keys: GpgKeys) -> None:
    assert len(private_keys(home)) == 2
    keys.discard(weak_openpgp_key().info.fingerprint)
    assert fingerprints(home) == []
    assert private_keys(home) == []
    assert list(home.glob("openpgp-revocs.d/*")) == []
    keys.discard(weak_openpgp_key().info.fingerprint)


# --- what a crash had left ------------------------------------------------------------------


def test_agent_left_by_a_crash_is_ended_before_the_home_is_used(home: Path, keys: GpgKeys) -> None:
    """It listens in the home, but it looks for the keys by a path that may be gone."""
    short = Path(tempfile.mkdtemp(prefix="pai-"))
    (short / "h").symlink_to(home)
    subprocess.run(
        ["gpgconf", "--homedir", short / "h", "--launch", "gpg-agent"],
        env={**os.environ, "GNUPGHOME": str(short / "h")},
        check=True,
    )
    shutil.rmtree(short)
    assert (home / "S.gpg-agent").is_socket()
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())
    assert not (home / "S.gpg-agent").exists()


def test_socket_that_a_power_cut_left_does_not_stay_in_the_way(home: Path, keys: GpgKeys) -> None:
    for name in ("S.gpg-agent", "S.gpg-agent.extra", "S.gpg-agent.browser", "S.gpg-agent.ssh"):
        os.mknod(home / name, stat.S_IFSOCK | 0o600)
    known = weak_openpgp_key().info.fingerprint
    assert keys.stray(()) == (known,)  # needs no agent
    keys.prove(known, weak_passphrase())
    assert not (home / "S.gpg-agent").exists()


class Killed(BaseException):
    """What no handler of the program's own takes for an error."""


def generation_killed_after(calls: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate a key in ``home``; die before the next secret file, without any clean-up."""
    real, stored = durable.create, list[Path]()

    def create(path: Path, data: bytes) -> None:
        if len(stored) == calls:
            raise Killed
        stored.append(path)
        real(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "create", create)
        patch.setattr(gpg_commands, "remove", lambda *_: None)
        with pytest.raises(Killed):
            GpgKeys(home, RealClock()).generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())


@pytest.mark.parametrize("missing", [0, 1])
def test_key_that_lacks_either_secret_is_removed(home: Path, keys: GpgKeys, missing: int) -> None:
    (home / "private-keys-v1.d" / private_keys(home)[missing]).unlink()
    fingerprint = weak_openpgp_key().info.fingerprint
    assert not keys.is_whole(fingerprint)
    keys.discard(fingerprint)
    assert keys.stray(()) == ()
    assert private_keys(home) == []


@pytest.mark.parametrize("stored", [0, 1])
def test_key_cut_short_is_found_told_and_removed_and_another_one_is_not(
    home: Path, keys: GpgKeys, monkeypatch: pytest.MonkeyPatch, stored: int
) -> None:
    known, before = weak_openpgp_key().info.fingerprint, private_keys(home)
    generation_killed_after(stored, home, monkeypatch)
    assert len(private_keys(home)) == len(before) + stored
    (cut_short,) = keys.stray({known})
    assert not keys.is_whole(cut_short)
    assert keys.is_whole(known)
    keys.discard(cut_short)
    assert keys.stray({known}) == ()
    assert keys.stray(()) == (known,)
    assert private_keys(home) == before
    keys.prove(known, weak_passphrase())


def test_whole_key_is_adopted_by_its_own_passphrase_alone(home: Path, keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    assert keys.adopt(info.fingerprint, weak_passphrase()) == info
    before = private_keys(home)
    refused("KEY-1/wrong-passphrase", keys.adopt, info.fingerprint, weak_passphrase(b"another"))
    refused("KEY-1/empty-passphrase", keys.adopt, info.fingerprint, weak_passphrase(b""))
    refused("KEY-1/no-secret-key", keys.adopt, "A" * 40, weak_passphrase())
    assert private_keys(home) == before


def test_what_a_killed_process_left_in_memory_is_cleared_by_the_next(tmp_path: Path) -> None:
    """Encrypted keys, but outside of the vault: they would stay until a reboot (SEC-2)."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    memory = Path("/dev/shm")
    elsewhere = tmp_path / "vault"
    elsewhere.mkdir()
    (elsewhere / "a.key").write_text("the vault's own")
    left, alive, link, other = (
        memory / f"pai-{gone.pid}-abcdefgh",
        memory / f"pai-{os.getpid()}-abcdefgh",
        memory / f"pai-{gone.pid}-symlink_",
        memory / f"pai-{gone.pid}-not-ours-by-its-name",
    )
    try:
        for folder in (left, alive, other):
            (folder / "private-keys-v1.d").mkdir(parents=True)
            (folder / "private-keys-v1.d" / "a.key").write_text("encrypted")
        (left / "h").symlink_to(elsewhere)
        link.symlink_to(elsewhere)
        with throwaway_home(for_secrets=False):
            assert not left.exists()
        assert alive.exists()
        assert other.exists()
        assert link.is_symlink()
        assert (elsewhere / "a.key").read_text() == "the vault's own"
    finally:
        link.unlink(missing_ok=True)
        for folder in (left, alive, other):
            shutil.rmtree(folder, ignore_errors=True)


def test_a_home_in_use_is_not_cleared_even_if_its_number_means_nothing_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Processes of another namespace may share the memory: their lock is seen all the same."""
    with throwaway_home(for_secrets=False) as used:
        monkeypatch.setattr(gpg_home, "_lives", lambda _process: False)
        with throwaway_home(for_secrets=False):
            assert used.path.is_dir()


def test_generating_leaves_no_secret_in_memory(empty: GpgKeys) -> None:
    before = set(Path("/dev/shm").glob(f"pai-{os.getpid()}-*"))
    empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase())
    assert set(Path("/dev/shm").glob(f"pai-{os.getpid()}-*")) <= before


# --- signing ------------------------------------------------------------------------------


def test_gpg_gpgv_and_sqv_accept_the_signature(tmp_path: Path, keys: GpgKeys) -> None:
    info = weak_openpgp_key().info
    signature = keys.sign_detached(DATA, info.fingerprint, weak_passphrase())
    assert b"Comment:" not in signature
    assert b"Version:" not in signature
    data, asc, cert = (tmp_path / n for n in ("SHA256SUMS", "SHA256SUMS.asc", "k.asc"))
    data.write_bytes(DATA)
    asc.write_bytes(signature)
    cert.write_text(info.certificate)
    (tmp_path / "judge").mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(tmp_path / "judge"), "--batch", "--no-autostart"]
    subprocess.run([*gpg, "--import", cert], check=True, capture_output=True)
    verify = ["--status-fd", "1", "--verify", str(asc), str(data)]
    judged = subprocess.run([*gpg, *verify], check=True, capture_output=True)
    assert f"VALIDSIG {info.signing_fingerprint} ".encode() in judged.stdout
    # Hash algorithm 10 is SHA-512, class 00 a binary document.
    assert f" 22 10 00 {info.fingerprint}\n".encode() in judged.stdout
    ring = tmp_path / "ring.gpg"
    subprocess.run([*gpg, "--output", ring, "--export"], check=True, capture_output=True)
    subprocess.run(["gpgv", "--keyring", ring, asc, data], check=True, capture_output=True)
    sqv = subprocess.run(["sqv", "--keyring", cert, asc, data], check=True, capture_output=True)
    assert sqv.stdout.decode().strip() == info.fingerprint
    data.write_bytes(DATA + b"x")
    for judge, ring_or_cert in (("gpgv", ring), ("sqv", cert)):
        command: list[str | Path] = [judge, "--keyring", ring_or_cert, asc, data]
        assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_wrong_passphrase_has_its_own_error_and_changes_nothing(home: Path, keys: GpgKeys) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    before = {p.name: p.read_bytes() for p in home.glob("private-keys-v1.d/*")}
    for act in (keys.prove, lambda f, p: keys.sign_detached(DATA, f, p)):
        assert isinstance(
            refused("KEY-1/wrong-passphrase", act, fingerprint, weak_passphrase(b"wrong")),
            PolicyRefused,
        )
    assert {p.name: p.read_bytes() for p in home.glob("private-keys-v1.d/*")} == before


def test_agent_caches_nothing_even_while_it_lives(home: Path) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    with vault_home(home) as opened:
        certificate = gpg_commands.listed(opened, fingerprint)
        (subkey,) = certificate.subkeys
        gpg_commands.sign(opened, subkey, DATA, weak_passphrase())
        refused(
            "KEY-1/wrong-passphrase",
            lambda: gpg_commands.sign(opened, subkey, DATA, weak_passphrase(b"wrong")),
        )


def test_agent_is_gone_after_each_operation(home: Path, keys: GpgKeys) -> None:
    fingerprint = weak_openpgp_key().info.fingerprint
    with vault_home(home) as opened:
        gpg_commands.listed(opened, fingerprint)
        assert len(our_agents(ending_within_s=0)) == 1
    assert our_agents() == []
    keys.sign_detached(DATA, fingerprint, weak_passphrase())
    assert our_agents() == []
    with pytest.raises(PolicyRefused):
        keys.prove(fingerprint, weak_passphrase(b"wrong"))
    assert our_agents() == []


def test_proof_of_the_right_passphrase_passes(keys: GpgKeys) -> None:
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())


def test_unknown_key_is_could_not_tell(keys: GpgKeys) -> None:
    assert isinstance(
        refused("KEY-1/no-secret-key", keys.sign_detached, DATA, "A" * 40, weak_passphrase()),
        CannotTell,
    )


def test_short_key_id_selects_no_key(keys: GpgKeys) -> None:
    short = weak_openpgp_key().info.fingerprint[-16:]
    refused("KEY-2/fingerprint", lambda: keys.sign_detached(DATA, short, weak_passphrase()))


def test_expired_key_is_refused_and_no_other_key_signs_instead(home: Path, keys: GpgKeys) -> None:
    old = scratch_key(expires="2024-06-01")
    with vault_home(home) as opened:
        succeeded(opened.run(["--import"], stdin=old.secret_export, passphrase=weak_passphrase()))
        listed = gpg_commands.listed(opened, old.fingerprint)
        # What the "!" and the SIG_CREATED check are for: gpg alone would take the other key.
        fallback = opened.run(
            ["--default-key", old.fingerprint, "--detach-sign", "--output", "-"],
            stdin=DATA,
            passphrase=weak_passphrase(),
        )
        assert b"SIG_CREATED" in fallback.status
        assert weak_openpgp_key().info.signing_fingerprint.encode() in fallback.status
        with pytest.raises(SignerError):
            gpg_commands.sign(opened, listed.primary, DATA, weak_passphrase())
    assert isinstance(
        refused("POL-6/expired", keys.sign_detached, DATA, old.fingerprint, weak_passphrase()),
        PolicyRefused,
    )


def test_exactly_the_given_subkey_signs_and_not_a_newer_one(home: Path) -> None:
    info = weak_openpgp_key().info
    with vault_home(home) as opened:
        add = ["--quick-add-key", info.fingerprint, "ed25519", "sign", "1y"]
        succeeded(opened.run(add, passphrase=weak_passphrase()))
        older, newer = gpg_commands.listed(opened, info.fingerprint).subkeys
        assert older.fingerprint == info.signing_fingerprint
        for subkey in (older, newer):
            # The signing key's full fingerprint stands in the signature itself.
            signature = gpg_commands.sign(opened, subkey, DATA, weak_passphrase())
            assert bytes.fromhex(subkey.fingerprint) in parse_armored_signature(signature)


def test_signature_by_another_key_than_asked_is_thrown_away(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_home.GpgHome.run

    def other_signer(self: gpg_home.GpgHome, arguments: list[str], **more: object) -> object:
        finished = real(self, arguments, **more)  # type: ignore[arg-type]
        status = finished.status.replace(
            weak_openpgp_key().info.signing_fingerprint.encode(), b"B" * 40
        )
        return process.Finished(finished.exit_code, finished.stdout, finished.stderr, status)

    with vault_home(home) as opened:
        (subkey,) = gpg_commands.listed(opened, weak_openpgp_key().info.fingerprint).subkeys
        monkeypatch.setattr(gpg_home.GpgHome, "run", other_signer)
        refused(
            "SIG-3/other-key",
            lambda: gpg_commands.sign(opened, subkey, DATA, weak_passphrase()),
        )


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (datetime(2090, 1, 1, tzinfo=UTC), "POL-6/expired"),
        (datetime(2001, 1, 1, tzinfo=UTC), "POL-8/before-key"),
    ],
)
def test_key_is_judged_by_the_given_clock(now: datetime, code: str, home: Path) -> None:
    keys = GpgKeys(home, FixedClock(now))
    fingerprint = weak_openpgp_key().info.fingerprint
    refused(code, lambda: keys.sign_detached(DATA, fingerprint, weak_passphrase()))


def test_missing_agent_has_its_own_error(
    home: Path, keys: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = gpg_home.GPG_CONF + b"agent-program /nonexistent/gpg-agent\n"
    monkeypatch.setattr(gpg_home, "GPG_CONF", conf)
    fingerprint = weak_openpgp_key().info.fingerprint
    error = refused(
        "SEC-2/agent-missing", lambda: keys.sign_detached(DATA, fingerprint, weak_passphrase())
    )
    assert "apt-get install gpg gpg-agent" in error.hint


def test_missing_gpg_has_its_own_error(
    tmp_path: Path, keys: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = weak_openpgp_key().info
    signature = scratch_key(data=DATA).signature
    monkeypatch.setattr(process, "TOOL_PATH", str(tmp_path))
    for call in (
        lambda: keys.sign_detached(DATA, info.fingerprint, weak_passphrase()),
        lambda: VERIFIER.verify_detached(DATA, signature, [info.certificate], [info.fingerprint]),
    ):
        assert isinstance(refused("SEC-2/tool-missing", call), ToolError)


# --- the home -----------------------------------------------------------------------------


def test_home_with_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 150) / "gnupg"
    install_weak_openpgp_key(home)
    fingerprint = weak_openpgp_key().info.fingerprint
    GpgKeys(home, RealClock()).sign_detached(DATA, fingerprint, weak_passphrase())
    assert [p.name for p in home.iterdir() if p.name.startswith("S.")] == []


def test_home_is_made_private_and_keeps_our_configuration(home: Path, keys: GpgKeys) -> None:
    home.chmod(0o755)
    (home / "gpg.conf").write_text("no-such-option\n")
    (home / "gpg-agent.conf").unlink()
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "gpg.conf").read_bytes() == gpg_home.GPG_CONF
    assert b"max-cache-ttl 0\n" in (home / "gpg-agent.conf").read_bytes()


def test_home_behind_a_symbolic_link_is_refused(tmp_path: Path, home: Path) -> None:
    (tmp_path / "link").symlink_to(home)
    keys = GpgKeys(tmp_path / "link", RealClock())
    with pytest.raises(SignerError):
        keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())


def test_home_of_another_user_is_refused(home: Path, keys: GpgKeys) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(home, 12345, 12345)
    refused(
        "SEC-2/home-owner",
        lambda: keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase()),
    )


def test_secrets_are_tried_in_memory_or_not_at_all(
    tmp_path: Path, empty: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpg_home, "_MEMORY", tmp_path / "missing")
    export = weak_openpgp_key().secret_export
    refused("SEC-2/no-memory-filesystem", lambda: empty.import_key(export, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_python_gnupg_gets_a_clean_environment_and_logs_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GNUPGHOME", "/nonexistent/elsewhere")
    monkeypatch.setenv("CANARY_SECRET", "canary")
    caplog.set_level(logging.DEBUG)
    with vault_home(home) as opened:
        library = opened.library()
        assert "CANARY_SECRET" not in library.env
        certificate = gpg_commands.public_certificate(opened, weak_openpgp_key().info.fingerprint)
    assert certificate == weak_openpgp_key().info.certificate
    assert [r for r in caplog.records if r.name.startswith("gnupg")] == []


# --- importing ----------------------------------------------------------------------------


def test_imported_key_signs(tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    info = empty.import_key(key.secret_export, weak_passphrase())
    assert info.fingerprint == key.info.fingerprint
    assert info.user_id == WEAK_USER_ID, "the proof's user ID must not stay"
    signature = empty.sign_detached(DATA, info.fingerprint, weak_passphrase())
    VERIFIER.verify_detached(DATA, signature, [info.certificate], [info.fingerprint])
    for file in (tmp_path / "empty").glob("private-keys-v1.d/*.key"):
        assert b"protected-private-key" in file.read_bytes()


def test_import_with_a_wrong_passphrase_is_refused_though_gpg_takes_it(
    tmp_path: Path, empty: GpgKeys
) -> None:
    export = weak_openpgp_key().secret_export
    with throwaway_home(for_secrets=True) as home:
        succeeded(home.run(["--import"], stdin=export, passphrase=weak_passphrase(b"wrong")))
    wrong = weak_passphrase(b"wrong")
    refused("KEY-1/wrong-passphrase", lambda: empty.import_key(export, wrong))
    assert private_keys(tmp_path / "empty") == []


def test_import_that_fails_in_the_vault_removes_the_key_again(
    tmp_path: Path, empty: GpgKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GpgVerifier.verify_detached
    calls = []

    def fail_second(self: GpgVerifier, *arguments: object) -> object:
        calls.append(arguments)
        if len(calls) > 1:
            raise BadSignature("TEST/x", "x", "x")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GpgVerifier, "verify_detached", fail_second)
    export = weak_openpgp_key().secret_export
    refused("TEST/x", lambda: empty.import_key(export, weak_passphrase()))
    assert fingerprints(tmp_path / "empty") == []
    assert private_keys(tmp_path / "empty") == []


def test_proof_refuses_a_key_that_any_passphrase_opens(tmp_path: Path, empty: GpgKeys) -> None:
    """Put into the vault's home by gpg itself."""
    open_key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "empty") as home:
        home.run(["--import"], stdin=open_key.secret_export)
    assert isinstance(
        refused("KEY-1/unprotected", empty.prove, open_key.fingerprint, weak_passphrase()),
        PolicyRefused,
    )


def test_import_refuses_an_unprotected_key(tmp_path: Path, empty: GpgKeys) -> None:
    open_key = scratch_key(unprotected=True)
    assert isinstance(
        refused("KEY-1/unprotected", empty.import_key, open_key.secret_export, weak_passphrase()),
        PolicyRefused,
    )
    assert not (tmp_path / "empty").exists()


def test_import_refuses_a_flipped_secret_bit_that_gpg_imports(
    tmp_path: Path, empty: GpgKeys
) -> None:
    with throwaway_home(for_secrets=True) as home:
        succeeded(
            home.run(
                ["--import"], stdin=weak_openpgp_key().secret_export, passphrase=weak_passphrase()
            )
        )
        binary = succeeded(home.run(["--export-secret-keys"], passphrase=weak_passphrase())).stdout
    # The first packet is the primary; its last bytes are the encrypted secret part.
    header, length = (2, binary[1]) if binary[1] < 192 else (3, 0)
    assert header == 2, "an Ed25519 secret key packet is shorter than 192 bytes"
    damaged = bytearray(binary)
    damaged[header + length - 1] ^= 1
    with pytest.raises(SignerError):
        empty.import_key(bytes(damaged), weak_passphrase())
    assert not (tmp_path / "empty").exists()


def test_import_refuses_files_with_other_than_one_secret_key(
    tmp_path: Path, empty: GpgKeys
) -> None:
    key = weak_openpgp_key()
    other = scratch_key()
    error = refused(
        "KEY-1/key-file", empty.import_key, key.info.certificate.encode(), weak_passphrase()
    )
    assert "a public key only" in error.summary
    for bad in (
        key.secret_export + other.secret_export,
        key.info.certificate.encode() + other.secret_export,
        b"",
        b"garbage\n",
        b"x" * (2 << 20),
    ):
        assert isinstance(
            refused("KEY-1/key-file", empty.import_key, bad, weak_passphrase()), FormatError
        )
    assert not (tmp_path / "empty").exists()


def test_import_refuses_subkeys_without_their_primary(tmp_path: Path, empty: GpgKeys) -> None:
    key = weak_openpgp_key()
    with throwaway_home(for_secrets=True) as home:
        succeeded(home.run(["--import"], stdin=key.secret_export, passphrase=weak_passphrase()))
        stub = succeeded(home.run(["--export-secret-subkeys"], passphrase=weak_passphrase())).stdout
    refused("KEY-1/primary-missing", lambda: empty.import_key(stub, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_import_of_an_expired_key_is_refused(tmp_path: Path, empty: GpgKeys) -> None:
    old = scratch_key(expires="2024-06-01")
    refused("POL-6/expired", lambda: empty.import_key(old.secret_export, weak_passphrase()))
    assert not (tmp_path / "empty").exists()


def test_import_of_a_key_that_is_here_leaves_it_alone(home: Path, keys: GpgKeys) -> None:
    export = weak_openpgp_key().secret_export
    before = private_keys(home)
    refused("KEY-1/already-here", lambda: keys.import_key(export, weak_passphrase()))
    assert private_keys(home) == before
    keys.prove(weak_openpgp_key().info.fingerprint, weak_passphrase())


# --- verifying ----------------------------------------------------------------------------


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


# --- secrecy ------------------------------------------------------------------------------


def test_passphrase_appears_in_no_argument_environment_file_or_error(
    tmp_path: Path, empty: GpgKeys
) -> None:
    canary = os.urandom(16).hex().encode()
    with watched(canary) as seen:
        info = empty.generate(WEAK_USER_ID, WEAK_VALID_UNTIL, weak_passphrase(canary))
        empty.sign_detached(DATA, info.fingerprint, weak_passphrase(canary))
        with pytest.raises(PolicyRefused) as caught:
            empty.prove(info.fingerprint, weak_passphrase(canary + b"x"))
    assert seen == {"gpg", "gpg-agent"}, "both were watched, and neither was given the passphrase"
    error = caught.value
    text = f"{error!r}{error}{error.summary}{error.hint}{error.__context__!r}{error.__cause__!r}"
    assert canary.decode() not in text
    files = [p for p in (tmp_path / "empty").rglob("*") if p.is_file()]
    assert len(files) > 4
    assert [p for p in files if canary in p.read_bytes()] == []
