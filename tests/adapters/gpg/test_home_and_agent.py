"""The home of gpg and its agent: private, ours alone, and gone after each use (SEC-2).

What a crash had left of either is cleared by the next run.
"""

import logging
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from pai_signer.adapters import gpg_commands, gpg_home, process
from pai_signer.adapters.gpg_home import throwaway_home, vault_home
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.errors import PolicyRefused, SignerError, ToolError
from tests.adapters.gpg.homes import DATA, VERIFIER, our_agents, refused
from tests.keys import (
    RealClock,
    install_weak_openpgp_key,
    scratch_key,
    weak_openpgp_key,
    weak_passphrase,
)

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


# --- the agent ----------------------------------------------------------------------------


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


# --- what a crash had left ----------------------------------------------------------------


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
