"""The vault's ceremonies folder, and minisign keys that a crash left unregistered."""

from pathlib import Path

import pytest

from pai_signer.adapters.minisign import MinisignKeyDirectory
from pai_signer.adapters.vault_files import FileCeremonies
from pai_signer.domain.minisig import parse_public_key
from pai_signer.domain.secret import Secret
from pai_signer.errors import FormatError, PolicyRefused, UntrustedKey
from tests.keys import WEAK_SCRYPT_LIMITS

ONE, OTHER = "20260101T120000Z-rotate", "20270101T120000Z-rotate"


@pytest.fixture
def ceremonies(tmp_path: Path) -> FileCeremonies:
    return FileCeremonies(tmp_path)


@pytest.fixture
def keys(tmp_path: Path) -> MinisignKeyDirectory:
    return MinisignKeyDirectory(tmp_path / "keys", limits=WEAK_SCRYPT_LIMITS)


def phrase(text: bytes = b"one phrase") -> Secret:
    return Secret(bytearray(text))


def test_files_of_a_ceremony_are_added_replaced_and_listed(ceremonies: FileCeremonies) -> None:
    ceremonies.save(ONE, {"statement.txt": b"1"})
    ceremonies.save(OTHER, {"statement.txt": b"x"})
    ceremonies.save(ONE, {"transcript.json": b"{}", "statement.txt": b"2"})
    assert ceremonies.names() == (ONE, OTHER)
    assert ceremonies.load(ONE) == {"statement.txt": b"2", "transcript.json": b"{}"}


def test_a_discarded_ceremony_leaves_no_file(ceremonies: FileCeremonies) -> None:
    ceremonies.delete(ONE)
    ceremonies.save(ONE, {"statement.txt": b"1"})
    ceremonies.save(OTHER, {"statement.txt": b"1"})
    ceremonies.delete(ONE)
    assert ceremonies.names() == (OTHER,)
    assert ceremonies.load(ONE) == {}


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", ""])
def test_no_name_leads_out_of_the_folder(ceremonies: FileCeremonies, name: str) -> None:
    with pytest.raises(FormatError):
        ceremonies.save(name, {"statement.txt": b"1"})
    with pytest.raises(FormatError):
        ceremonies.save(ONE, {name: b"1"})
    assert ceremonies.names() == ()


def test_a_key_that_nobody_registered_is_found_and_taken_in(keys: MinisignKeyDirectory) -> None:
    known = parse_public_key(keys.generate(phrase())).shown_id
    line = keys.generate(phrase(b"another"))
    left = parse_public_key(line).shown_id
    assert keys.stray({known}) == (left,)
    assert keys.adopt(left, phrase(b"another")) == line
    assert keys.stray({known, left}) == ()


def test_a_wrong_passphrase_takes_no_key_in(keys: MinisignKeyDirectory) -> None:
    left = parse_public_key(keys.generate(phrase())).shown_id
    with pytest.raises(PolicyRefused):
        keys.adopt(left, phrase(b"another"))
    assert keys.stray(()) == (left,)


def test_a_key_under_another_keys_name_is_not_taken_in(
    keys: MinisignKeyDirectory, tmp_path: Path
) -> None:
    left = parse_public_key(keys.generate(phrase())).shown_id
    (tmp_path / "keys" / f"{left}.key").rename(tmp_path / "keys" / "1234.key")
    with pytest.raises(UntrustedKey):
        keys.adopt("1234", phrase())


def test_a_stray_key_is_removed_by_its_id_alone(keys: MinisignKeyDirectory) -> None:
    left = parse_public_key(keys.generate(phrase())).shown_id
    keys.discard_stray(left)
    assert keys.stray(()) == ()
    with pytest.raises(FormatError):
        keys.discard_stray("../vault")
