"""The ports of custody as a workbench has them: one vault's keys, copied and proved (CUS-1)."""

from pathlib import Path

import pytest

from pai_signer.adapters.practice import CUSTODIANS, UPLOADS, PracticeMedia, build_practice_media
from pai_signer.composition import built_in_profile
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import PHRASES

NEW = b"a phrase of the custodian"


def phrase(text: bytes) -> Secret:
    return Secret(bytearray(text))


def test_a_vaults_keys_are_copied_proved_and_stay_as_they_are(keyed: Workbench) -> None:
    keys = {key.algorithm: key for key in keyed.registry().keys}
    minisign, openpgp = keys[Algorithm.MINISIGN], keys[Algorithm.OPENPGP]
    copies, challenge = keyed.backup_keys, keyed.nonces.nonce()
    key_file = copies.wrap_minisign(minisign.public_key, phrase(PHRASES["minisign"]), phrase(NEW))
    signature = copies.prove_minisign(
        key_file, phrase(NEW), minisign.public_key, challenge, "proof of a test"
    )
    assert b"proof of a test" in signature
    export = copies.wrap_openpgp(openpgp.id, phrase(PHRASES["gpg"]), phrase(NEW))
    (proof,) = copies.prove_openpgp(export, openpgp.public_key, openpgp.id, phrase(NEW), challenge)
    keyed.verifiers.openpgp.verify_detached(challenge, proof, [openpgp.public_key], [openpgp.id])
    with pytest.raises(PolicyRefused):
        keyed.openpgp.prove(openpgp.id, phrase(NEW))
    keyed.openpgp.prove(openpgp.id, phrase(PHRASES["gpg"]))
    keyed.minisign.unlock(minisign.public_key, phrase(PHRASES["minisign"])).wipe()


def test_nonces_are_never_the_same(keyed: Workbench) -> None:
    nonces = {keyed.nonces.nonce() for _ in range(50)}
    assert len(nonces) == 50
    assert {len(nonce) for nonce in nonces} == {32}


def test_a_rehearsal_has_a_medium_for_each_of_two_custodians(tmp_path: Path) -> None:
    build_practice_media(tmp_path, parse_profile(built_in_profile()))
    media = PracticeMedia(tmp_path)
    first, second = (media.identify(tmp_path / name) for name in CUSTODIANS)
    assert first.is_known
    assert second.is_known
    assert not first.same_as(second)
    assert media.identify(tmp_path / CUSTODIANS[0] / "pai-backup-000001-a") == first
    assert media.identify(tmp_path / UPLOADS) == MediumIdentity(label="PRACTICE")
    assert media.identify(tmp_path) == MediumIdentity()
    mounted = [media.mount(medium, read_only=True) for medium in media.list()]
    assert [medium.mounted_at for medium in mounted][2:] == [tmp_path / c for c in CUSTODIANS]


def test_a_rehearsal_from_before_custody_has_the_media_that_it_has(tmp_path: Path) -> None:
    build_practice_media(tmp_path, parse_profile(built_in_profile()))
    for name in CUSTODIANS:
        (tmp_path / name).rmdir()
    assert len(PracticeMedia(tmp_path).list()) == 2


def test_a_medium_without_a_backup_is_read_as_empty(keyed: Workbench, tmp_path: Path) -> None:
    assert keyed.backup_reader.read(tmp_path, keyed.profile.project.slug, Progress()) == ()
