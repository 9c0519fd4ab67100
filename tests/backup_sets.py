"""Backup sets by hand, with real keys and real signatures: what a medium may come to hold."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    COPIES,
    BackupFacts,
    folder_name,
    pack_revocations,
    render_manifest,
)
from pai_signer.domain.custody import BackupKey, KeyName, MediumIdentity
from pai_signer.domain.minisig import parse_public_key, render_public_key_file, trusted_comment
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import Algorithm
from pai_signer.workflows.workbench import Workbench
from tests.keys import weak_openpgp_key, weak_passphrase
from tests.workflows.bench import PHRASES

CUSTODIAN: Final = "Ada Adams"


def set_files(
    bench: Workbench, *, custodian: str = CUSTODIAN, number: int = 0, **others: bytes
) -> dict[str, bytes]:
    """All files of one copy; ``others`` replace or join what the manifest lists."""
    registry, head = bench.registry(), bench.journal.entries()[-1]
    keys = [registry.signing_key(algorithm) for algorithm in Algorithm]
    minisign, openpgp = keys
    assert minisign is not None
    assert openpgp is not None
    number = number or head.n
    facts = BackupFacts(
        project=bench.profile.project.name,
        rehearsal=bench.info.rehearsal,
        custodian=custodian,
        number=number,
        made_at=bench.clock.now(),
        medium=MediumIdentity(),
        keys=(
            BackupKey(algorithm=Algorithm.MINISIGN, id=minisign.id, salts=("ab" * 32,)),
            BackupKey(algorithm=Algorithm.OPENPGP, id=openpgp.id, salts=("cd" * 8,)),
        ),
        signed_by=tuple(KeyName(algorithm=k.algorithm, id=k.id) for k in (minisign, openpgp)),
        registry_serial=registry.serial,
        journal_head=JournalHead(n=number, hash=head.hash),
    )
    wrapped = bench.backup_keys.wrap_minisign(
        minisign.public_key, weak_passphrase(PHRASES["minisign"]), weak_passphrase(b"Ada's own")
    )
    files = {
        "RESTORE.txt": b"stock commands\n",
        "backup.json": encode_record(facts),
        "minisign.key": wrapped,
        "minisign.pub": render_public_key_file(parse_public_key(minisign.public_key)),
        "gpg-secret.asc": weak_openpgp_key().secret_export,
        "gpg-public.asc": openpgp.public_key.encode(),
        "revocations.gpg": pack_revocations(bench.revocations.load(openpgp.id))[:1500],
        "journal.jsonl": b"{}\n",
        **bench.registry_store.load(),
        **{name.replace("_", "."): data for name, data in others.items()},
    }
    return signed(bench, files, number)


def signed(bench: Workbench, files: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """``files`` with a manifest and both signatures over it."""
    project = bench.profile.project.name
    manifest = render_manifest(project, bench.info.rehearsal, files)
    minisign, openpgp = (bench.registry().signing_key(algorithm) for algorithm in Algorithm)
    assert minisign is not None
    assert openpgp is not None
    comment = trusted_comment(f"{bench.comment_project} backup", str(number), BACKUP_MANIFEST_NAME)
    unlocked = bench.minisign.unlock(minisign.public_key, weak_passphrase(PHRASES["minisign"]))
    minisig = unlocked.sign_prehashed(hashlib.blake2b(manifest).digest(), comment)
    armored = bench.openpgp.sign_detached(manifest, openpgp.id, weak_passphrase(PHRASES["gpg"]))
    return {
        **files,
        BACKUP_MANIFEST_NAME: manifest,
        f"{BACKUP_MANIFEST_NAME}.minisig": minisig,
        f"{BACKUP_MANIFEST_NAME}.asc": armored,
    }


def write_set(bench: Workbench, medium: Path, files: Mapping[str, bytes], number: int) -> None:
    """Put ``files`` into the three folders of a set."""
    for copy in COPIES:
        folder = medium / folder_name(bench.profile.project.slug, number, copy)
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
