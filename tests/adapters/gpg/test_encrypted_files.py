"""Files of a backup under a passphrase alone; stock gpg opens them (CUS-1)."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest

from pai_signer.adapters import gpg_backup
from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_home import GpgHome
from pai_signer.adapters.process import Finished
from pai_signer.domain.openpgp_secret import symmetric_salt
from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError
from tests.adapters.gpg.copies import stock
from tests.adapters.gpg.homes import CLOCK, NEW, refused
from tests.keys import WEAK_PASSPHRASE, WEAK_S2K_COUNT_BYTES, weak_openpgp_key, weak_passphrase

DATA = b"revocation certificates\n" * 200


@functools.cache
def encrypted() -> bytes:
    return OpenPgpBackups(Path("nowhere"), CLOCK).encrypt(DATA, weak_passphrase(NEW))


@pytest.mark.usefixtures("stock_strength")
def test_stock_gpg_opens_an_encrypted_file(drawer: Path, tmp_path: Path) -> None:
    strong = encrypted.__wrapped__()
    (tmp_path / "revocations.gpg").write_bytes(strong)
    (tmp_path / "phrase").write_bytes(NEW)
    opening = ("--passphrase-file", tmp_path / "phrase", "--decrypt", tmp_path / "revocations.gpg")
    assert stock(drawer, *opening).stdout == DATA
    shown = stock(drawer, *opening[:2], "--list-packets", opening[3]).stdout.decode()
    # gpg 2.2 leaves out one of the spaces.
    assert re.search(":symkey enc packet: version 4, cipher 9, aead 0, ?s2k 3, hash 10\n", shown)
    salt = symmetric_salt(strong).upper()
    assert f"salt {salt}, count 65011712 (255)" in shown
    assert "mdc_method: 2" in shown
    (tmp_path / "phrase").write_bytes(WEAK_PASSPHRASE)
    wrong = stock(drawer, *opening)
    assert wrong.exit_code != 0
    assert wrong.stdout == b""


def test_what_was_encrypted_is_decrypted_under_its_passphrase_alone(
    outside: OpenPgpBackups,
) -> None:
    assert outside.decrypt(encrypted(), weak_passphrase(NEW)) == DATA
    refused(
        "KEY-1/wrong-passphrase", lambda: outside.decrypt(encrypted(), weak_passphrase(b"other"))
    )
    again = outside.encrypt(DATA, weak_passphrase(NEW))
    assert symmetric_salt(again) != symmetric_salt(encrypted())
    for bad in (outside.encrypt, outside.decrypt):
        refused("KEY-1/empty-passphrase", lambda bad=bad: bad(b"x", Secret(bytearray())))


def test_no_changed_byte_of_an_encrypted_file_gets_through(outside: OpenPgpBackups) -> None:
    whole = encrypted()
    for at in (*range(16), 40, len(whole) // 2, len(whole) - 1):
        changed = bytearray(whole)
        changed[at] ^= 1
        with pytest.raises(SignerError) as caught:
            outside.decrypt(bytes(changed), weak_passphrase(NEW))
        assert caught.value.exit_code in {3, 4}, (at, caught.value)
    for bad in (b"", whole[:15], whole[: len(whole) // 2], weak_openpgp_key().secret_export):
        with pytest.raises(SignerError) as caught:
            outside.decrypt(bad, weak_passphrase(NEW))
        assert caught.value.exit_code in {3, 4}


@pytest.mark.parametrize("option", ["AES128", "SHA256", "65536"])
def test_a_gpg_that_encrypts_otherwise_than_asked_is_noticed(
    option: str, outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"AES128": "AES256", "SHA256": "SHA512", "65536": str(WEAK_S2K_COUNT_BYTES)}[option]
    run = GpgHome.run

    def otherwise(home: GpgHome, arguments: list[str], **rest: Any) -> Finished:
        return run(home, [option if word == asked else word for word in arguments], **rest)

    monkeypatch.setattr(GpgHome, "run", otherwise)
    refused("CUS-2/format", lambda: outside.encrypt(DATA, weak_passphrase(NEW)))


def test_a_gpg_that_gives_back_something_else_is_noticed(
    outside: OpenPgpBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = gpg_backup._decrypted
    monkeypatch.setattr(gpg_backup, "_decrypted", lambda *a: real(*a) + b"x")
    refused("CUS-1/encryption", lambda: outside.encrypt(DATA, weak_passphrase(NEW)))
