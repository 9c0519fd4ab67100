"""Keys, vaults and backups from one release of gpg are used by another (KEY-1, CUS-2, CUS-4).

``tests/vectors/gpg`` holds what gpg 2.2 and 2.4 made; the gpg that is installed uses it.
"""

import shutil
from pathlib import Path

import pytest

from pai_signer.adapters.gpg_backup import OpenPgpBackups
from pai_signer.adapters.gpg_keys import GpgKeys
from pai_signer.adapters.gpg_life import GpgLife
from pai_signer.domain.openpgp_secret import parse_secret_key
from pai_signer.domain.openpgp_signatures import RevocationReason
from tests.adapters.gpg.copies import CHALLENGE
from tests.adapters.gpg.homes import CLOCK, DATA, NEW, VERIFIER, private_keys, refused, state
from tests.adapters.gpg.old_keys import Judges
from tests.keys import weak_passphrase
from tests.vectors.gpg_files import RECORDED, REVOKED_BECAUSE


class Recorded:
    """One release's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = (folder / "certificate.asc").read_text()
        self.signature = (folder / "signature.asc").read_bytes()
        self.revocation = (folder / "superseded.asc").read_bytes()
        self.copy = (folder / "gpg-secret.asc").read_bytes()
        self.encrypted = (folder / "encrypted.gpg").read_bytes()
        self.fingerprint = parse_secret_key(self.copy).fingerprint

    def vault(self, tmp_path: Path) -> Path:
        home = tmp_path / "vault"
        shutil.copytree(self.folder / "home", home)
        return home

    def verify(self, data: bytes, signature: bytes) -> None:
        VERIFIER.verify_detached(data, signature, [self.certificate], [self.fingerprint])


@pytest.fixture(params=["2.2.40", "2.4.7"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(RECORDED / request.param)


def test_every_recorded_release_is_tried() -> None:
    assert {p.name for p in RECORDED.iterdir() if p.is_dir()} == {"2.2.40", "2.4.7"}


def test_signature_verifies_by_us_and_by_stock_tools(recorded: Recorded, tmp_path: Path) -> None:
    recorded.verify(DATA, recorded.signature)
    judges = Judges(tmp_path / "judges", recorded.certificate)
    assert judges.gpgv(recorded.signature)
    assert judges.sqv(recorded.signature)


def test_vault_is_opened_and_its_copy_made_anew(recorded: Recorded, tmp_path: Path) -> None:
    home = recorded.vault(tmp_path)
    keys, backups, before = GpgKeys(home, CLOCK), OpenPgpBackups(home, CLOCK), state(home)
    wrong = weak_passphrase(b"something else")
    refused("KEY-1/wrong-passphrase", keys.prove, recorded.fingerprint, wrong)
    recorded.verify(DATA, keys.sign_detached(DATA, recorded.fingerprint, weak_passphrase()))
    copy = backups.wrap(recorded.fingerprint, weak_passphrase(), weak_passphrase(NEW))
    assert parse_secret_key(copy).fingerprint == recorded.fingerprint
    # Another release may not turn the vault into what the first one cannot read.
    assert state(home) == before


def test_backup_is_proved_and_restored(recorded: Recorded, tmp_path: Path) -> None:
    backups = OpenPgpBackups(tmp_path / "nowhere", CLOCK)
    arguments = (recorded.copy, recorded.certificate, recorded.fingerprint)
    for signature in backups.prove(*arguments, weak_passphrase(NEW), CHALLENGE):
        recorded.verify(CHALLENGE, signature)
    assert backups.decrypt(recorded.encrypted, weak_passphrase(NEW)) == DATA
    keys = GpgKeys(tmp_path / "restored", CLOCK)
    keys.import_key(recorded.copy, weak_passphrase(NEW), recorded.certificate)
    assert len(private_keys(tmp_path / "restored")) == 2
    recorded.verify(DATA, keys.sign_detached(DATA, recorded.fingerprint, weak_passphrase(NEW)))


def test_revocation_is_read(recorded: Recorded, tmp_path: Path) -> None:
    life = GpgLife(recorded.vault(tmp_path), CLOCK)
    read = life.check_revocation(recorded.fingerprint, recorded.revocation)
    assert (read.reason, read.text) == (RevocationReason.SUPERSEDED, REVOKED_BECAUSE)
