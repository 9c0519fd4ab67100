"""A backup set on its medium: names, manifest and facts (CUS-1).

A set is three identical folders, ``SLUG-backup-NNNNNN-a`` to ``-c``; NNNNNN is the number of
the journal's newest entry when it was made, so that a later set never collides with it.
``MANIFEST.txt`` is a comment that no release manifest may hold, then canonical lines for
``sha256sum -c``. ``backup.json`` is for this program; everything else is for stock tools.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from pai_signer.domain import manifest
from pai_signer.domain.archive import pack, unpack
from pai_signer.domain.artifact import Record
from pai_signer.domain.custody import BackupKey, KeyName, MediumIdentity, custodian_name
from pai_signer.domain.names import why_unsafe
from pai_signer.domain.receipt import JournalHead
from pai_signer.domain.records import decode_record
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
)
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import FormatError, UsageError

FORMAT: Final = 1
COPIES: Final = ("a", "b", "c")
Copy = Literal["a", "b", "c"]

CARD_NAME: Final = "RESTORE.txt"
BACKUP_MANIFEST_NAME: Final = "MANIFEST.txt"
FACTS_NAME: Final = "backup.json"
MINISIGN_KEY_NAME: Final = "minisign.key"
MINISIGN_PUBLIC_NAME: Final = "minisign.pub"
OPENPGP_SECRET_NAME: Final = "gpg-secret.asc"  # noqa: S105 - a file name
OPENPGP_PUBLIC_NAME: Final = "gpg-public.asc"
JOURNAL_NAME: Final = "journal.jsonl"
REVOCATIONS_NAME: Final = "revocations.gpg"
CEREMONIES_NAME: Final = "ceremonies.tar"
#: The two members of the tar archive inside ``revocations.gpg``.
REVOCATION_MEMBERS: Final = ("compromised.asc", "superseded.asc")

_SIGNATURE_OF: Final = {
    Algorithm.MINISIGN: BACKUP_MANIFEST_NAME + MINISIG_SUFFIX,
    Algorithm.OPENPGP: BACKUP_MANIFEST_NAME + OPENPGP_SUFFIX,
}
SIGNATURE_NAMES: Final = tuple(_SIGNATURE_OF.values())
_ALWAYS: Final = (CARD_NAME, FACTS_NAME, JOURNAL_NAME, REGISTRY_NAME)
_REGISTRY_SIGNATURES: Final = (REGISTRY_NAME + MINISIG_SUFFIX, REGISTRY_NAME + OPENPGP_SUFFIX)
_OF_KEY: Final = {
    Algorithm.MINISIGN: (MINISIGN_KEY_NAME, MINISIGN_PUBLIC_NAME),
    Algorithm.OPENPGP: (OPENPGP_SECRET_NAME, OPENPGP_PUBLIC_NAME),
}
#: Every name that a copy may hold; anything else in a folder is not ours.
ALL_NAMES: Final = frozenset(
    {
        *_ALWAYS,
        *_REGISTRY_SIGNATURES,
        *(name for names in _OF_KEY.values() for name in names),
        REVOCATIONS_NAME,
        CEREMONIES_NAME,
        BACKUP_MANIFEST_NAME,
        *SIGNATURE_NAMES,
    }
)

MAX_MANIFEST_BYTES: Final = 16 << 10
MAX_FACTS_BYTES: Final = 64 << 10
MAX_SALTS: Final = 64
_REHEARSAL_LINE: Final = "# REHEARSAL: practice keys; this backs up nothing\n"
_FOLDER_NUMBER: Final = re.compile(r"[0-9]{6,12}", re.ASCII)
_SALT: Final = re.compile(r"(?:[0-9a-f]{2}){8,64}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


# --- names ---------------------------------------------------------------------------------


def folder_name(slug: str, number: int, copy: str) -> str:
    """The folder of one copy; ``ValueError`` for a copy or a number that is none."""
    if copy not in COPIES or not 0 < number < 10**12:
        raise ValueError(f"no such copy: {number}-{copy}")
    return f"{slug}-backup-{number:06d}-{copy}"


def parse_folder_name(slug: str, name: str) -> tuple[int, Copy] | None:
    """Number and copy that a folder's name claims; None if it is none of ours."""
    digits, _, copy = name.removeprefix(f"{slug}-backup-").partition("-")
    for known in ("a", "b", "c"):
        if copy == known and _FOLDER_NUMBER.fullmatch(digits) and int(digits):
            return (int(digits), known) if folder_name(slug, int(digits), copy) == name else None
    return None


# --- the manifest --------------------------------------------------------------------------


def render_manifest(project: str, rehearsal: bool, files: Mapping[str, bytes]) -> bytes:
    """``MANIFEST.txt`` over ``files``, which hold neither itself nor its signatures."""
    own = {BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES} & set(files)
    if own:
        raise ValueError(f"a manifest cannot list {', '.join(sorted(own))}")
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return _head(project, rehearsal=rehearsal) + manifest.render_manifest(digests)


def parse_manifest(data: bytes, project: str, *, rehearsal: bool) -> dict[str, str]:
    """Digests by name; ``FormatError`` for anything that we would not write for ``project``."""
    if len(data) > MAX_MANIFEST_BYTES or not data.startswith(_head(project, rehearsal=False)):
        raise _refused("manifest", f"{BACKUP_MANIFEST_NAME} is not of a backup of {project}")
    is_practice = data.startswith(_head(project, rehearsal=True))
    if is_practice != rehearsal:
        kinds = {True: "a REHEARSAL, with practice keys", False: "real keys"}
        why = f"it is a backup of {kinds[is_practice]}; this vault is of {kinds[rehearsal]}"
        raise _refused("manifest", why)
    digests = manifest.parse_manifest(data.removeprefix(_head(project, rehearsal=rehearsal)))
    unknown = sorted(
        set(digests) - ALL_NAMES | {BACKUP_MANIFEST_NAME, *SIGNATURE_NAMES} & set(digests)
    )
    if unknown:
        shown = safe_text(unknown[0], limit=80)
        raise _refused("manifest", f"{BACKUP_MANIFEST_NAME} lists {shown}")
    return digests


def _head(project: str, *, rehearsal: bool) -> bytes:
    title = f"# {project} {manifest.NOT_A_RELEASE}\n"
    if not is_safe(project) or not project.isascii():
        raise _refused("manifest", "the project's name cannot stand in a backup's manifest")
    return (title + (_REHEARSAL_LINE if rehearsal else "")).encode("ascii")


# --- the facts -------------------------------------------------------------------------------


class BackupFacts(Record, frozen=True, kw_only=True):
    """``backup.json``: what this set is; nothing in it grants trust.

    ``number`` is that of the folders, ``journal_head`` the journal's newest entry then;
    ``signed_by`` are the workstation's active keys, which sign the manifest: others than
    ``keys`` in a rotation.
    """

    format: Literal[1] = FORMAT
    project: str
    rehearsal: bool
    custodian: str
    number: int
    made_at: datetime
    medium: MediumIdentity
    keys: tuple[BackupKey, ...]
    signed_by: tuple[KeyName, ...]
    registry_serial: int
    journal_head: JournalHead

    def key(self, algorithm: Algorithm) -> BackupKey | None:
        """The key of one system that this set holds, if any."""
        return next((key for key in self.keys if key.algorithm is algorithm), None)

    @property
    def signature_names(self) -> tuple[str, ...]:
        """The files with the manifest's signatures."""
        systems = {key.algorithm for key in self.signed_by}
        return tuple(_SIGNATURE_OF[algorithm] for algorithm in Algorithm if algorithm in systems)


def parse_facts(data: bytes) -> BackupFacts:
    """Parse strictly and check; ``FormatError`` for anything that we would not write."""
    facts = decode_record(data, BackupFacts, FACTS_NAME, limit_bytes=MAX_FACTS_BYTES)
    check_facts(facts)
    return facts


def check_facts(facts: BackupFacts) -> None:
    """Check what the types alone do not say; ``FormatError``."""
    algorithms = [key.algorithm for key in facts.keys]
    signers = [key.algorithm for key in facts.signed_by]
    ids = [*(key.id for key in facts.keys), *(key.id for key in facts.signed_by)]
    salts = [salt for key in facts.keys for salt in key.salts]
    texts = (facts.project, facts.medium.uuid, facts.medium.serial, facts.medium.label)
    rules = {
        "it holds no key, or two of one system": 0 < len(set(algorithms)) == len(algorithms),
        "it is signed by no key, or by two of one system": 0 < len(set(signers)) == len(signers),
        "a salt is missing or malformed": all(key.salts for key in facts.keys)
        and len(salts) <= MAX_SALTS
        and all(_SALT.fullmatch(salt) for salt in salts),
        "its custodian is no name": _is_custodian(facts.custodian),
        "a text has unprintable characters": all(is_safe(text) for text in texts)
        and all(is_safe(key_id) for key_id in ids),
        "its number is not that of the journal's head": facts.number == facts.journal_head.n > 0,
        "the journal's head is malformed": bool(_SHA256.fullmatch(facts.journal_head.hash)),
        "its date is not in UTC": facts.made_at.utcoffset() == timedelta(),
        "the registry's serial is none": facts.registry_serial >= 0,
    }
    for why, holds in rules.items():
        if not holds:
            raise _refused("facts", f"{FACTS_NAME} contradicts itself: {why}")


def _is_custodian(name: str) -> bool:
    try:
        return custodian_name(name) == name
    except UsageError:
        return False


def required_names(facts: BackupFacts) -> frozenset[str]:
    """The files without which a copy is no whole one; the manifest is not among them.

    The registry's signatures and the revocation certificates are there where the vault had
    them.
    """
    of_keys = (name for key in facts.keys for name in _OF_KEY[key.algorithm])
    return frozenset({*_ALWAYS, *of_keys})


# --- the revocation certificates -----------------------------------------------------------


def pack_revocations(certificates: Mapping[str, bytes]) -> bytes:
    """Both certificates in one archive, to be encrypted.

    Two files and not one text: gpg would import both at once, and the harder one wins.
    """
    if set(certificates) != set(REVOCATION_MEMBERS):
        raise ValueError("both certificates belong into the archive, and nothing else")
    return pack(certificates)


def unpack_revocations(data: bytes) -> dict[str, bytes]:
    """Both certificates by name; ``FormatError`` for anything that ``pack_revocations`` is not."""
    found = _unpacked(data, REVOCATIONS_NAME, "revocations")
    if set(found) != set(REVOCATION_MEMBERS):
        raise _refused("revocations", f"{REVOCATIONS_NAME} is not as this program packs it")
    return found


# --- transcripts and statements ------------------------------------------------------------


def pack_ceremonies(ceremonies: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """Every file of every ceremony, as ``CEREMONY/FILE``: without them no key can be published."""
    return pack({f"{c}/{n}": data for c, files in ceremonies.items() for n, data in files.items()})


def unpack_ceremonies(data: bytes) -> dict[str, dict[str, bytes]]:
    """Files by ceremony and name; ``FormatError`` for anything that we would not pack."""
    found: dict[str, dict[str, bytes]] = {}
    for path, content in _unpacked(data, CEREMONIES_NAME, "ceremonies").items():
        ceremony, slash, name = path.partition("/")
        if not slash or why_unsafe(ceremony) or why_unsafe(name):
            raise _refused("ceremonies", f"{CEREMONIES_NAME} holds {safe_text(path, limit=80)}")
        found.setdefault(ceremony, {})[name] = content
    return found


def _unpacked(data: bytes, shown: str, code: str) -> dict[str, bytes]:
    try:
        return unpack(data)
    except ValueError as error:
        raise _refused(code, f"{shown} {error}") from error


def _refused(code: str, why: str) -> FormatError:
    return FormatError(
        f"CUS-1/{code}",
        f"This is not a backup as it should be: {why}.",
        "Do not use this copy. Look at the others on this medium, then at the other media.",
    )
