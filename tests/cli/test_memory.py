"""The memory of a command at its end, searched for passphrases and for the opened key (SEC-2).

Backups have a test of their own (test_backup_secrets.py); the rotation of the OpenPGP key is
searched with ``PAI_FAULTS=all``.
"""

import os
from pathlib import Path
from typing import Final

import minisign

from pai_signer.domain.registry import REGISTRY_NAME, Algorithm, parse_registry
from tests.cli.held_program import CONTROL
from tests.cli.program import Program
from tests.cli.test_backup_secrets import OWN, stopped_at_its_end
from tests.watching import copies_in_memory
from tests.workflows.bench import RELEASE, downloads, new_vault

ALL: Final = os.environ.get("PAI_FAULTS") == "all"
NEW: Final = {
    "minisign": b"cormorant-canary bk7 glockenspiel-q",
    "gpg": b"razorbill-canary hm2 accordion-zz",
}
SIGN: Final = ("release", "sign", RELEASE, "--confirm", RELEASE, "--waive", "POL-7=a test machine")
PIECE_BYTES: Final = 12


def minisign_secrets(vault: Path, *phrases: bytes) -> list[bytes]:
    """What each minisign key of the vault signs from: 32 bytes."""
    found = []
    for file in (vault / "keys" / "minisign").iterdir():
        for phrase in phrases:
            key = minisign.SecretKey.from_bytes(file.read_bytes())
            try:
                key.decrypt(phrase.decode())
            except minisign.Error:
                continue
            found.append(bytes(key._keynum_sk.secret_key))
    return found


def left_in(process: int, *wanted: bytes) -> list[bytes]:
    """Which of them have their beginning or their end in its memory."""
    assert copies_in_memory(process, CONTROL) > 0, "the look itself does not work"
    pieces = [piece for it in wanted for piece in (it[:PIECE_BYTES], it[-PIECE_BYTES:])]
    return [piece for piece in pieces if copies_in_memory(process, piece)]


def test_no_passphrase_and_no_key_is_left_when_a_command_ends(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    with stopped_at_its_end(vault, "key", "generate", phrases=OWN, code=0) as process:
        secrets = minisign_secrets(vault, OWN["minisign"])
        assert len(secrets) == 1
        assert left_in(process, *OWN.values(), *secrets) == []
    Program(vault)("release", "import", downloads())
    with stopped_at_its_end(vault, *SIGN, phrases=OWN, code=0) as process:
        assert left_in(process, *OWN.values(), *secrets) == []
    registry = parse_registry((vault / "keys/registry/0001" / REGISTRY_NAME).read_bytes())
    phrases = dict(OWN)
    for system, algorithm in (("minisign", Algorithm.MINISIGN), ("gpg", Algorithm.OPENPGP)):
        if system == "gpg" and not ALL:
            break
        ends = registry.of(algorithm)[0].id[-16:]
        command = ("key", "rotate", system, "--confirm", ends, "--despite", "a test machine")
        given = {**phrases, "new": NEW[system]}
        with stopped_at_its_end(vault, *command, phrases=given, code=0) as process:
            secrets = minisign_secrets(vault, OWN["minisign"], NEW["minisign"])
            assert len(secrets) == 2
            assert left_in(process, *given.values(), *secrets) == []
        phrases[system] = NEW[system]
