"""The files of a backup set, the same in its three folders (CUS-1).

Everything in them restores with stock tools alone; this program is needed for nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pai_signer.domain.backup import (
    BACKUP_MANIFEST_NAME,
    CARD_NAME,
    CEREMONIES_NAME,
    FACTS_NAME,
    JOURNAL_NAME,
    MINISIGN_KEY_NAME,
    MINISIGN_PUBLIC_NAME,
    OPENPGP_PUBLIC_NAME,
    OPENPGP_SECRET_NAME,
    REVOCATIONS_NAME,
    BackupFacts,
    check_facts,
    pack_ceremonies,
    pack_revocations,
    render_manifest,
)
from pai_signer.domain.custody import BackupKey, KeyName, MediumIdentity, custodian_id
from pai_signer.domain.journal import JournalEntry, encode_entry
from pai_signer.domain.minisig import (
    parse_public_key,
    render_public_key_file,
    secret_key_salt,
    trusted_comment,
)
from pai_signer.domain.openpgp_secret import parse_secret_key
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    Algorithm,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.restore_card import render_restore_card
from pai_signer.domain.secret import Secret
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.workbench import Workbench


@dataclass(frozen=True)
class KeyToCopy:
    """A key of the vault, what opens it there, and what will open the copy."""

    key: RegisteredKey
    passphrase: Secret
    new_passphrase: Secret


@dataclass(frozen=True)
class Signers:
    """What signs the manifest: the keys in use, as far as they may still sign."""

    minisign: UnlockedMinisignKey | None
    openpgp: Secret | None

    def keys(self, registry: Registry) -> tuple[RegisteredKey, ...]:
        """Their public parts."""
        able = {Algorithm.MINISIGN: self.minisign, Algorithm.OPENPGP: self.openpgp}
        signing = (registry.signing_key(a) for a in Algorithm if able[a] is not None)
        return tuple(key for key in signing if key is not None)


@dataclass(frozen=True)
class SetToMake:
    """For whom, onto what, and as of which journal entry, which is also the set's number."""

    custodian: str
    medium: MediumIdentity
    entries: Sequence[JournalEntry]

    @property
    def head(self) -> JournalHead:
        """The journal's newest entry."""
        return JournalHead(n=self.entries[-1].n, hash=self.entries[-1].hash)


def backup_files(
    bench: Workbench,
    to_make: SetToMake,
    keys: Sequence[KeyToCopy],
    signers: Signers,
    progress: Progress,
) -> tuple[BackupFacts, dict[str, bytes]]:
    """Everything but the manifest; nothing is written, and the vault is as it was.

    ``FormatError`` where no key is left that signs for the set, ``PolicyRefused`` for a
    passphrase that does not open its key, or that is no new one.
    """
    files: dict[str, bytes] = {}
    copied: list[BackupKey] = []
    for wanted in keys:
        made, salts = _copied(bench, wanted, progress)
        files |= made
        copied.append(BackupKey(algorithm=wanted.key.algorithm, id=wanted.key.id, salts=salts))
    registry_files = bench.registry_store.load()
    facts = BackupFacts(
        project=bench.profile.project.name,
        rehearsal=bench.info.rehearsal,
        custodian=to_make.custodian,
        number=to_make.head.n,
        made_at=bench.clock.now(),
        medium=to_make.medium,
        keys=tuple(copied),
        signed_by=tuple(
            KeyName(algorithm=key.algorithm, id=key.id) for key in signers.keys(bench.registry())
        ),
        registry_serial=bench.registry().serial,
        journal_head=to_make.head,
    )
    check_facts(facts)
    files |= registry_files
    if held := bench.ceremonies.names():
        files[CEREMONIES_NAME] = pack_ceremonies({c: bench.ceremonies.load(c) for c in held})
    files[JOURNAL_NAME] = b"".join(encode_entry(entry) for entry in to_make.entries)
    files[FACTS_NAME] = encode_record(facts)
    card = render_restore_card(
        facts,
        [wanted.key for wanted in keys],
        signed_by=signers.keys(bench.registry()),
        revocations=REVOCATIONS_NAME in files,
        ask=_who_can_help(bench, to_make.custodian),
    )
    files[CARD_NAME] = card.encode("ascii")
    return facts, files


def _who_can_help(bench: Workbench, custodian: str) -> list[str]:
    """The other custodians, and the maintainer of this workstation."""
    others = [
        name
        for name in bench.ledger().custodians()
        if custodian_id(name) != custodian_id(custodian)
    ]
    info = bench.info
    return [*others, f"{info.maintainer_name} <{info.maintainer_email}>"]


def _copied(
    bench: Workbench, wanted: KeyToCopy, progress: Progress
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """One key's files, and the salts of their passphrase hashing."""
    key, keys = wanted.key, bench.backup_keys
    if key.algorithm is Algorithm.MINISIGN:
        progress.say(Line("minisign key: this takes some seconds and 1 GiB of memory"))
        secret = keys.wrap_minisign(key.public_key, wanted.passphrase, wanted.new_passphrase)
        public = render_public_key_file(parse_public_key(key.public_key))
        progress.say(Line(key.id, label="encrypted anew", mark=Mark.OK))
        files = {MINISIGN_KEY_NAME: secret, MINISIGN_PUBLIC_NAME: public}
        return files, (secret_key_salt(secret),)
    secret = keys.wrap_openpgp(key.id, wanted.passphrase, wanted.new_passphrase)
    files = {OPENPGP_SECRET_NAME: secret, OPENPGP_PUBLIC_NAME: key.public_key.encode()}
    kept = bench.revocations.load(key.id)
    if kept:
        packed = pack_revocations(kept)
        files[REVOCATIONS_NAME] = keys.encrypt(packed, wanted.new_passphrase)
    progress.say(Line(key.id, label="encrypted anew", mark=Mark.OK))
    return files, parse_secret_key(secret).salts


def signed_manifest(
    bench: Workbench,
    facts: BackupFacts,
    files: Mapping[str, bytes],
    signers: Signers,
) -> dict[str, bytes]:
    """The manifest over ``files`` and its signatures, each verified before it leaves (SIG-5).

    The facts have said by which keys: by one at least, or they were refused.
    """
    registry = bench.registry()
    manifest = render_manifest(facts.project, facts.rehearsal, files)
    made = {BACKUP_MANIFEST_NAME: manifest}
    for key in signers.keys(registry):
        if key.algorithm is Algorithm.MINISIGN and signers.minisign is not None:
            name, number = BACKUP_MANIFEST_NAME + MINISIG_SUFFIX, str(facts.number)
            comment = trusted_comment(
                f"{bench.comment_project} backup", number, BACKUP_MANIFEST_NAME
            )
            digest = hashlib.blake2b(manifest).digest()
            made[name] = signers.minisign.sign_prehashed(digest, comment)
            bench.verifiers.minisign.verify(made[name], digest, key.public_key)
        elif signers.openpgp is not None:
            name = BACKUP_MANIFEST_NAME + OPENPGP_SUFFIX
            made[name] = bench.openpgp.sign_detached(manifest, key.id, signers.openpgp)
            bench.verifiers.openpgp.verify_detached(
                manifest, made[name], [key.public_key], [key.id]
            )
    return made
