"""An OpenPGP key wrapped under a custodian's passphrase; stock gpg restores it and signs (CUS-1).

The traps of this field are shown with stock gpg before the program is seen not to step into them.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import gpg_backup
from pai_signer.adapters import gpg_commands as commands
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_copy import secret_key_files
from pai_signer.adapters.gpg_home import GpgHome, throwaway_home, vault_home
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp_secret import parse_secret_key
from pai_signer.domain.openpgp_status import parse_status
from pai_signer.domain.secret import Secret
from pai_signer.errors import CannotTell
from tests.adapters.gpg.copies import CHALLENGE, armored, copy, packets, prove, stock, wrap
from tests.adapters.gpg.homes import CLOCK, NEW, VERIFIER, refused, state
from tests.keys import (
    WEAK_PASSPHRASE,
    install_weak_openpgp_key,
    scratch_key,
    succeeded,
    weak_openpgp_key,
    weak_passphrase,
)
from tests.watching import watched

# --- copies -------------------------------------------------------------------------------


def test_stock_gpg_restores_a_copy_and_signs_under_the_new_passphrase_alone(
    drawer: Path, tmp_path: Path
) -> None:
    info = weak_openpgp_key().info
    (tmp_path / "gpg-secret.asc").write_bytes(copy())
    (tmp_path / "f").write_bytes(CHALLENGE)
    assert stock(drawer, "--import", tmp_path / "gpg-secret.asc").exit_code == 0

    def signs(key: str, phrase: bytes) -> Finished:
        (tmp_path / "phrase").write_bytes(phrase + b"\n")
        return stock(
            drawer,
            *("--passphrase-file", tmp_path / "phrase", "--local-user", f"{key}!"),
            *("--armor", "--detach-sign", "--output", "-", tmp_path / "f"),
        )

    assert signs(info.signing_fingerprint, WEAK_PASSPHRASE).exit_code != 0
    signature = signs(info.signing_fingerprint, NEW).stdout
    signed = VERIFIER.verify_detached(CHALLENGE, signature, [info.certificate], [info.fingerprint])
    assert signed.signing_fingerprint == info.signing_fingerprint
    # A stock agent tries the passphrase that it keeps of one part on the others.
    subprocess.run(["gpgconf", "--homedir", drawer, "--kill", "all"], check=True)
    (tmp_path / "phrase").write_bytes(WEAK_PASSPHRASE)
    adds = ("--quick-add-uid", info.fingerprint, "restored")
    with_file = ("--passphrase-file", tmp_path / "phrase")
    assert stock(drawer, *with_file, *adds).exit_code != 0
    (tmp_path / "phrase").write_bytes(NEW)
    assert stock(drawer, *with_file, *adds).exit_code == 0


@pytest.mark.usefixtures("stock_strength")
def test_a_copy_is_hashed_as_strongly_as_stock_gpg_can(drawer: Path, tmp_path: Path) -> None:
    strong = copy.__wrapped__()
    (tmp_path / "gpg-secret.asc").write_bytes(strong)
    shown = stock(drawer, "--list-packets", tmp_path / "gpg-secret.asc").stdout.decode()
    assert shown.count("protect count: 65011712 (255)") == 2
    assert shown.count("iter+salt S2K, algo: 7, SHA1 protection") == 2
    export = parse_secret_key(strong)
    info = weak_openpgp_key().info
    assert export.fingerprint == info.fingerprint
    assert export.subkeys == (info.signing_fingerprint,)
    assert all(f"salt: {salt.upper()}" in shown for salt in export.salts)


def test_each_copy_has_salts_of_its_own_and_the_vault_stays(
    home: Path, backups: OpenPgpBackups
) -> None:
    before = state(home)
    exports = (wrap(backups), wrap(backups), copy(), weak_openpgp_key().secret_export)
    salts = [salt for export in exports for salt in parse_secret_key(export).salts]
    assert len(set(salts)) == len(salts) == 8
    assert state(home) == before


@pytest.mark.parametrize(
    "phrase",
    [b"x" * 255, "w\u00f6rter mit umlaut".encode(), b" spaces at both ends ", b"a%20b+c\\x'\"#"],
)
def test_a_new_passphrase_is_taken_as_it_is(phrase: bytes, backups: OpenPgpBackups) -> None:
    prove(backups, wrap(backups, new=phrase), phrase)


def test_other_keys_of_the_vault_are_neither_changed_nor_exported(tmp_path: Path) -> None:
    home, other = tmp_path / "two", scratch_key()
    info = install_weak_openpgp_key(home)
    with vault_home(home) as opened:
        commands.import_secret_key(
            opened, other.secret_export, other.fingerprint, weak_passphrase()
        )
    before = state(home)
    backups = OpenPgpBackups(home, CLOCK)
    wrapped = wrap(backups)
    assert {p.fingerprint for p in parse_secret_key(wrapped).parts} == {
        info.fingerprint,
        info.signing_fingerprint,
    }
    assert state(home) == before


def test_no_passphrase_is_seen_outside_the_pipes(home: Path, backups: OpenPgpBackups) -> None:
    canary = os.urandom(16).hex().encode()
    with watched(canary) as seen:
        secret_key = wrap(backups, new=canary)
        prove(backups, secret_key, canary)
        backups.decrypt(backups.encrypt(b"x", weak_passphrase(canary)), weak_passphrase(canary))
    assert seen == {"gpg", "gpg-agent"}
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if canary in path.read_bytes()] == []


# --- what is not copied -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("KEY-1/wrong-passphrase", b"mistyped", NEW),
        ("CUS-1/same-passphrase", WEAK_PASSPHRASE, WEAK_PASSPHRASE),
        ("KEY-1/empty-passphrase", WEAK_PASSPHRASE, b""),
        ("KEY-1/empty-passphrase", b"", NEW),
        ("KEY-1/passphrase-form", WEAK_PASSPHRASE, b"two\nlines"),
    ],
)
def test_a_passphrase_that_will_not_do_is_refused(
    code: str, old: bytes, new: bytes, home: Path, backups: OpenPgpBackups
) -> None:
    before = state(home)
    refused(code, lambda: wrap(backups, old, new))
    assert state(home) == before


def test_a_key_that_is_not_there_or_not_whole_is_not_copied(
    home: Path, backups: OpenPgpBackups
) -> None:
    phrase, new = weak_passphrase(), weak_passphrase(NEW)
    assert isinstance(
        refused("KEY-1/no-secret-key", lambda: backups.wrap("A" * 40, phrase, new)), CannotTell
    )
    with vault_home(home) as opened:
        fingerprint = weak_openpgp_key().info.fingerprint
        arguments = ["--yes", "--delete-secret-keys", f"{fingerprint}!"]
        succeeded(opened.run(arguments))
    refused("KEY-1/primary-missing", lambda: wrap(backups))


def test_a_vaults_key_that_any_passphrase_opens_is_not_copied(tmp_path: Path) -> None:
    open_key = scratch_key(unprotected=True)
    with vault_home(tmp_path / "open") as home:
        home.run(["--import"], stdin=open_key.secret_export)
    backups = OpenPgpBackups(tmp_path / "open", CLOCK)
    refused(
        "KEY-1/unprotected",
        lambda: backups.wrap(open_key.fingerprint, weak_passphrase(), weak_passphrase(NEW)),
    )


# --- what gpg does otherwise than asked ---------------------------------------------------


def test_gpg_asks_for_old_and_new_without_saying_which(tmp_path: Path) -> None:
    """Why each part is changed alone: in one go, a subkey can end under the old passphrase.

    The agent keeps both for the next part, but not into the next second; then it asks for
    the new one where the old one was meant to be the answer.
    """
    answers = (WEAK_PASSPHRASE, NEW, WEAK_PASSPHRASE, NEW)
    fingerprint = weak_openpgp_key().info.fingerprint
    with throwaway_home(for_secrets=True) as home:
        commands.import_secret_key(
            home, weak_openpgp_key().secret_export, fingerprint, weak_passphrase()
        )
        with Secret(bytearray(b"\n".join(answers))) as lines:
            asked = home.run(["--change-passphrase", fingerprint], answers=lines)
    questions = [s for s in parse_status(asked.status) if s.keyword == "GET_HIDDEN"]
    assert {question.arguments for question in questions} == {("passphrase.enter",)}


def test_a_part_that_kept_the_old_passphrase_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_backup._change_passphrase

    def change_the_first(copy: GpgHome, fingerprint: str, *phrases: Secret) -> None:
        files = secret_key_files(copy)
        real(copy, fingerprint, *phrases)
        path = max(files)
        path.write_bytes(files[path])

    monkeypatch.setattr(gpg_backup, "_change_passphrase", change_the_first)
    refused("KEY-1/wrong-passphrase", lambda: wrap(backups))


def test_an_export_that_the_old_passphrase_opens_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = weak_openpgp_key().secret_export
    monkeypatch.setattr(gpg_backup, "_exported", lambda *_: exported)
    refused("KEY-1/unprotected", lambda: wrap(backups))


def test_an_export_without_a_subkey_is_noticed(
    backups: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GpgHome.run

    def forgets(home: GpgHome, arguments: Any, **how: Any) -> Finished:
        finished = real(home, arguments, **how)
        if "--export-secret-keys" not in arguments:
            return finished
        held = packets(finished.stdout)
        cut = b"".join(p.raw for p in held[: [p.tag for p in held].index(7)])
        return Finished(0, armored(cut), b"", finished.status)

    monkeypatch.setattr(GpgHome, "run", forgets)
    refused("CUS-1/export", lambda: wrap(backups))
