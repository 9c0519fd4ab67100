"""What workflows need from the outside world, as Protocols; adapters provide it.

All of them raise ``SignerError`` families only: ``ToolError`` or
``MediumError`` where they could not tell, ``BadSignature``, ``UntrustedKey``
and the like where they could.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from pai_signer.domain.artifact import Commit, Finding, HashedFile
from pai_signer.domain.custody import MediumIdentity
from pai_signer.domain.host import HostFacts, Installation
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.openpgp_signatures import RevocationReason
from pai_signer.domain.page import Modules
from pai_signer.domain.paper_pages import Sheet
from pai_signer.domain.progress import Progress
from pai_signer.domain.secret import Secret


class Clock(Protocol):
    """The workstation's clock; asked once per decision."""

    def now(self) -> datetime:
        """The time now, aware, in UTC, whole seconds."""


class Host(Protocol):
    """Facts about the laptop (POL-9, SEC-2)."""

    def facts(self) -> HostFacts:
        """Read them afresh."""


# --- media (IMP-1, IMP-2, EXP-2) ------------------------------------------------------


@dataclass(frozen=True)
class Medium:
    """One removable filesystem as the kernel sees it; text fields come from outside."""

    device: str
    label: str
    filesystem: str
    size_bytes: int
    serial: str
    uuid: str
    read_only: bool
    mounted_at: Path | None


class Media(Protocol):
    """Removable media: find, mount, unmount."""

    def list(self) -> tuple[Medium, ...]:
        """Every removable filesystem; system disks are hidden."""

    def mount(self, medium: Medium, *, read_only: bool = False) -> Medium:
        """Mount it (udisksctl) and return it with ``mounted_at``; already mounted is fine.

        ``read_only`` mounts with ``ro,nosuid,nodev,noexec`` (CUS-2); a medium that is
        mounted already stays as it is, and says so in its ``read_only``.
        """

    def identify(self, directory: Path) -> MediumIdentity:
        """The removable medium that ``directory`` is on (CUS-3); all empty if on none."""

    def unmount(self, directory: Path) -> bool:
        """Unmount the filesystem that ``directory`` is on, if it is a removable medium's.

        True if it was unmounted, False if ``directory`` is on no removable medium.
        """


@dataclass(frozen=True)
class SourceEntry:
    """One regular file in a source folder; ``name`` passed the safe-name rule."""

    name: str
    size_bytes: int
    modified_at_s: float


@dataclass(frozen=True)
class RefusedEntry:
    """Something in a source folder that will not be opened: what, and why (IMP-2)."""

    shown_name: str
    why: str
    is_folder: bool = False


@dataclass(frozen=True)
class SourceListing:
    """What a source folder holds."""

    files: tuple[SourceEntry, ...]
    refused: tuple[RefusedEntry, ...]


class Source(Protocol):
    """One opened source folder, held by descriptor so that it cannot be swapped (IMP-2).

    Every ``name`` is looked up without following links and must be a regular file.
    """

    @property
    def shown_path(self) -> str:
        """Where it is, sanitised."""

    @property
    def identity(self) -> tuple[int, int]:
        """The same for one folder, by whatever path it was opened, and for no other."""

    def listing(self) -> SourceListing:
        """Scan the top of the folder: bounded, nothing opened, nothing followed."""

    def read_small(self, name: str, limit_bytes: int) -> bytes:
        """The whole of a small file; ``FormatError`` if it is larger than the limit."""

    def read_once(self, name: str, progress: Progress) -> HashedFile:
        """Both digests in one pass (IMP-3); refuses a file that changed meanwhile."""

    def inspect_image(self, name: str, architecture: str) -> tuple[Finding, ...]:
        """What an ISO image is, from a bounded number of small reads (IMP-5)."""

    def copy_small_to(self, name: str, destination: Path, limit_bytes: int) -> None:
        """Copy one file (a bundle) to a private temporary path, capped."""


class Sources(Protocol):
    """Opens source folders."""

    def open(self, directory: Path) -> AbstractContextManager[Source]:
        """Open ``directory``; a link or a missing folder is refused."""


@dataclass(frozen=True)
class WrittenFile:
    """One file that reached the medium and was read back from it."""

    name: str
    size_bytes: int
    sha256: str
    was_there_already: bool


class Destinations(Protocol):
    """The only way out to a medium (EXP-2)."""

    def write_release(
        self, directory: Path, folder: str, files: Mapping[str, bytes], progress: Progress
    ) -> tuple[WrittenFile, ...]:
        """Write ``files`` into ``directory/folder`` durably and read them back uncached.

        Names may hold one ``/`` level (``keys/minisign.pub``). A file that is
        there with the same content is kept; with other content, refused before
        anything is written. After a failure no name in ``files`` stands half-written.
        """


class Publisher(Protocol):
    """Writes the published keys (KEY-2)."""

    def publish(self, directory: Path, files: Mapping[str, bytes]) -> tuple[WrittenFile, ...]:
        """Write ``files`` into an existing folder, each replacing its earlier state at once."""

    def withdraw(self, directory: Path, names: Iterable[str]) -> None:
        """Remove what was published before and is no more; a file that is not there is fine."""


class PaperPrinter(Protocol):
    """Makes pages to print, and trusts none that it has not read again (CUS-1)."""

    def render(self, title: str, sheets: Sequence[Sheet], progress: Progress) -> bytes:
        """One PDF; ``ToolError`` unless the code and the rows of each page read as they should.

        They are read from the finished file, by another program than the one that drew them.
        """


class CodeDrawer(Protocol):
    """Draws QR codes for a screen (EXP-4)."""

    def draw(self, payload: str) -> Modules:
        """The code of one part; ``ToolError`` unless another program reads it as ``payload``."""


# --- signatures (SIG) -----------------------------------------------------------------


class UnlockedMinisignKey(Protocol):
    """A decrypted minisign secret key in memory."""

    @property
    def public_key(self) -> str:
        """The base64 line of its public key."""

    def sign_prehashed(self, blake2b_512: bytes, trusted_comment: str) -> bytes:
        """The ``.minisig`` file for a file with this BLAKE2b-512 digest (SIG-2)."""

    def wipe(self) -> None:
        """Overwrite the key."""


class MinisignKeys(Protocol):
    """The vault's minisign secret keys, encrypted in stock format."""

    def generate(self, passphrase: Secret) -> str:
        """Make and store a key at stock strength; returns the public key line (KEY-1)."""

    def import_key(self, key_file: bytes, passphrase: Secret) -> str:
        """Prove, then store an existing key file; returns the public key line."""

    def unlock(self, public_key: str, passphrase: Secret) -> UnlockedMinisignKey:
        """Decrypt the stored key of ``public_key``; refuses a wrong passphrase."""

    def discard(self, public_key: str) -> None:
        """Remove the stored key: only for a generation that was never registered."""

    def stray(self, known_ids: Collection[str]) -> tuple[str, ...]:
        """IDs of stored keys that are not among ``known_ids``: a crash had left them."""

    def adopt(self, key_id: str, passphrase: Secret) -> str:
        """The public key line of a stored key, opened and proved; refuses a wrong passphrase."""

    def discard_stray(self, key_id: str) -> None:
        """Remove a stored key of which only the ID is known."""


class MinisignVerifier(Protocol):
    """Checks minisign signatures with code that shares nothing with signing (SIG-5)."""

    def verify(self, signature: bytes, blake2b_512: bytes, public_key: str) -> str:
        """Check both signatures in a ``.minisig`` file; returns the trusted comment."""


@dataclass(frozen=True)
class OpenPgpKeyInfo:
    """Public facts of an OpenPGP key: fingerprints in upper hex, times in UTC."""

    fingerprint: str
    signing_fingerprint: str
    user_id: str
    algorithm: str
    created_at: datetime
    expires_at: datetime | None
    certificate: str


class OpenPgpKeys(Protocol):
    """The vault's own GNUPGHOME."""

    def generate(self, user_id: str, valid_until: date, passphrase: Secret) -> OpenPgpKeyInfo:
        """Certifying Ed25519 primary with a signing subkey (KEY-1)."""

    def import_key(
        self, key_file: bytes, passphrase: Secret, certificate: str | None = None
    ) -> OpenPgpKeyInfo:
        """Import one secret key and prove by signing that the passphrase opens it.

        ``certificate`` is a newer public one: the key in the file may have expired since.
        """

    def prove(self, fingerprint: str, passphrase: Secret) -> None:
        """Sign a throwaway challenge; raises on a wrong passphrase."""

    def sign_detached(self, data: bytes, fingerprint: str, passphrase: Secret) -> bytes:
        """An armored detached signature by the signing (sub)key of ``fingerprint``."""

    def discard(self, fingerprint: str) -> None:
        """Remove the key, whole or not: only for a generation that was never registered."""

    def stray(self, known: Collection[str]) -> tuple[str, ...]:
        """Fingerprints of keys that are not ``known``, whole or not: a crash had left them."""

    def is_whole(self, fingerprint: str) -> bool:
        """Whether every secret part of the key is here; else its making was cut short."""

    def adopt(self, fingerprint: str, passphrase: Secret) -> OpenPgpKeyInfo:
        """The facts of a key that is here, proved; refuses a wrong passphrase."""


@dataclass(frozen=True)
class OpenPgpSignature:
    """A signature that was found good, and by whom and when it says it was made."""

    primary_fingerprint: str
    signing_fingerprint: str
    created_at: datetime


class OpenPgpVerifier(Protocol):
    """Checks in a throwaway home that holds only the given certificates (SIG-5)."""

    def verify_detached(
        self,
        data: bytes,
        signature: bytes,
        certificates: Sequence[str],
        fingerprints: Iterable[str],
    ) -> OpenPgpSignature:
        """GOODSIG and VALIDSIG by a primary in ``fingerprints``, or a raised reason why not."""


class Passphrases(Protocol):
    """Passphrases that are new; one that opens something already is never judged (KEY-1)."""

    def offer(self) -> Secret:
        """Random words that nobody has seen yet; the caller wipes them."""

    def check(self, passphrase: Secret) -> None:
        """Raise ``PolicyRefused`` (``KEY-1/weak-passphrase``) if it is too weak for a key."""


# --- custody (CUS-1, CUS-2) ----------------------------------------------------------------


class BackupKeys(Protocol):
    """The vault's keys under another passphrase, and proofs by keys that a medium holds.

    A key from a medium is opened in memory only. A wrong passphrase must fail before the
    right one counts, and what was made is verified against the registry's public key.
    """

    def wrap_minisign(self, public_key: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """A stock key file under ``new_passphrase``: same key ID, fresh salt, full strength."""

    def prove_minisign(
        self,
        key_file: bytes,
        passphrase: Secret,
        public_key: str,
        challenge: bytes,
        trusted_comment: str,
    ) -> bytes:
        """The ``.minisig`` of ``challenge`` by the key in ``key_file``.

        Raises ``PolicyRefused`` (``KEY-1/wrong-passphrase``, ``KEY-1/unprotected``,
        ``KEY-1/scrypt-weak``, ``KEY-2/rehearsal``), ``UntrustedKey`` for another key,
        ``FormatError`` for what is no key file. Damage to the encrypted part looks like a
        wrong passphrase: only the file's digest tells.
        """

    def wrap_openpgp(self, fingerprint: str, passphrase: Secret, new_passphrase: Secret) -> bytes:
        """The armored export of primary and subkeys under ``new_passphrase``, proved."""

    def prove_openpgp(
        self,
        secret_key: bytes,
        certificate: str,
        fingerprint: str,
        passphrase: Secret,
        challenge: bytes,
        *,
        beside: str | None = None,
    ) -> tuple[bytes, ...]:
        """Signatures of ``challenge`` by each signing key of an export, its primary proved too.

        ``certificate`` is the registry's; ``beside`` the public certificate that lies with
        the export. Raises ``PolicyRefused`` (``KEY-1/wrong-passphrase``,
        ``KEY-1/unprotected``, ``CUS-2/weak-protection``, ``CUS-2/secret-missing``,
        ``CUS-2/stale``: the right key, but gpg could not use it as it lies there;
        ``POL-6/expired``, ``POL-6/revoked``: the registered key itself), ``UntrustedKey``
        (``CUS-2/other-key``), ``FormatError`` for what is damaged.
        """

    def encrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """``data`` encrypted by gpg under ``passphrase`` alone, for stock gpg to open."""

    def decrypt(self, data: bytes, passphrase: Secret) -> bytes:
        """What ``encrypt`` made, opened again; refuses a wrong passphrase and any change."""


@dataclass(frozen=True)
class FoundProblem:
    """Why something on a medium was not read.

    ``is_unreadable``: the medium failed. Else it is what is not opened, such as a link.
    """

    why: str
    is_unreadable: bool


@dataclass(frozen=True)
class FoundCopy:
    """One folder of a backup set: what was read of it, and what was not.

    ``problems`` are by file name as it can be shown; the name ``""`` is the folder itself.
    """

    folder: str
    files: Mapping[str, bytes]
    problems: Mapping[str, FoundProblem]


@dataclass(frozen=True)
class FoundSet:
    """One backup set as it lies on a medium; a copy whose folder is missing is not in it."""

    number: int
    copies: Mapping[str, FoundCopy]


class BackupReader(Protocol):
    """Reads the backup sets of a medium, past the page cache (CUS-2)."""

    def read(self, directory: Path, slug: str, progress: Progress) -> tuple[FoundSet, ...]:
        """All sets at the top of ``directory``, newest first; empty if it holds none."""


class Nonces(Protocol):
    """Fresh randomness for challenges (CUS-2)."""

    def nonce(self) -> bytes:
        """32 bytes that nobody could foresee."""


# --- the repository (IMP-6, SIG-4) ------------------------------------------------------


class TagStore(Protocol):
    """The workstation's own bare mirror."""

    def take_bundle(self, bundle: Path) -> None:
        """Fetch all branches of a bundle into a quarantine namespace; bounded, fsck'd."""

    def find_commit(self, revision: str | None, branch: str) -> str:
        """Object ID of ``revision``, else the last bundle's HEAD, else ``branch`` in it."""

    def describe_commit(self, oid: str, tag_name: str, previous_oid: str | None) -> Commit:
        """What the review page shows of it, and its relation to the last release."""

    def write_tag(self, tag_object: bytes, tag_name: str) -> str:
        """Write a finished tag object (``git mktag``) and its ref; returns its ID."""

    def bundle_tag(self, tag_name: str) -> bytes:
        """A bundle with the tag object alone, its commit being a prerequisite (EXP-1)."""

    def delete_tag(self, tag_name: str) -> None:
        """Take back a ref of a tag that was never released."""


# --- evidence and state -----------------------------------------------------------------


class Program(Protocol):
    """What runs here, as it is installed (SEC-2)."""

    def installation(self) -> Installation:
        """Its own files, and what of them is not as it was installed."""


class Journal(Protocol):
    """The append-only record (JRN-1)."""

    def append(self, event: str, facts: Mapping[str, Any]) -> JournalEntry:
        """Add one entry, chained and fsynced before it returns."""

    def entries(self) -> tuple[JournalEntry, ...]:
        """All entries, checked; ``JournalTampered`` says where the chain breaks."""

    def recover(self) -> JournalEntry | None:
        """Set aside a torn last line that was never acknowledged; the entry that says so."""

    def take_over(self, data: bytes) -> None:
        """Put a whole journal in the place of one that holds the vault's birth only (CUS-4)."""


class StateStore(Protocol):
    """Saved states of unfinished conversations."""

    def load(self, name: str) -> bytes | None:
        """The saved bytes, or None."""

    def save(self, name: str, data: bytes) -> None:
        """Replace durably."""

    def delete(self, name: str) -> None:
        """Forget; nothing there is fine."""

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""


class ReleaseStore(Protocol):
    """The vault's ``releases`` folder."""

    def load_candidate(self, version: str) -> bytes | None:
        """The imported candidate, or None."""

    def save_candidate(self, version: str, data: bytes) -> None:
        """Replace durably."""

    def delete_candidate(self, version: str) -> None:
        """Forget it; nothing there is fine."""

    def versions(self) -> tuple[str, ...]:
        """Every version with a folder, sorted by name."""

    def stage(self, version: str, files: Mapping[str, bytes]) -> None:
        """Make ``files`` appear in staging all at once, or not at all (SIG-6).

        Files already staged (an earlier visit's) are kept.
        """

    def staged(self, version: str) -> dict[str, bytes]:
        """All staged files by name; empty where nothing is staged."""

    def unstage(self, version: str, names: Iterable[str]) -> None:
        """Take back staged files that were never journalled as signed."""


class RegistryStore(Protocol):
    """The vault's registry of public keys with its signatures (KEY-2)."""

    def load(self) -> dict[str, bytes]:
        """``registry.json`` and its signatures by file name; empty in a new vault."""

    def save(self, files: Mapping[str, bytes]) -> None:
        """Replace all of them together; earlier states are kept aside."""


class IndexStore(RegistryStore, Protocol):
    """The vault's release index and its texts with their signatures (VER-2), kept alike."""


class CeremonyStore(Protocol):
    """The vault's ``ceremonies`` folder: transcripts and what the ceremonies made (KEY-1)."""

    def names(self) -> tuple[str, ...]:
        """Every ceremony that left something, sorted by name."""

    def load(self, ceremony: str) -> dict[str, bytes]:
        """All files of a ceremony by name; empty where there are none."""

    def save(self, ceremony: str, files: Mapping[str, bytes]) -> None:
        """Put ``files`` beside or in the place of those there, all at once or not at all."""

    def delete(self, ceremony: str) -> None:
        """Forget a ceremony that was discarded; nothing there is fine."""


class RevocationStore(Protocol):
    """The vault's ``revocations`` folder: what was made at the birth of OpenPGP keys (KEY-1)."""

    def names(self) -> tuple[str, ...]:
        """Every fingerprint that has some, sorted."""

    def load(self, fingerprint: str) -> dict[str, bytes]:
        """The certificates of a key by file name; empty where there are none."""

    def save(self, fingerprint: str, files: Mapping[str, bytes]) -> None:
        """Put ``files`` beside or in the place of those there, all at once or not at all."""

    def delete(self, fingerprint: str) -> None:
        """Forget those of a key that was never registered; nothing there is fine."""


# --- the later life of an OpenPGP key (KEY-4, KEY-5) --------------------------------------


@dataclass(frozen=True)
class OpenPgpRevocation:
    """A revocation of a whole key: why, in which words, when (UTC), and what carries it.

    ``block`` is the armored revocation alone; ``certificate`` the armored public
    certificate with the revocation in it.
    """

    reason: RevocationReason
    text: str
    created_at: datetime
    block: bytes
    certificate: str


class OpenPgpLife(Protocol):
    """What happens to an OpenPGP key of the vault after its birth."""

    def extend(self, fingerprint: str, until: date, passphrase: Secret) -> OpenPgpKeyInfo:
        """Let primary and signing subkeys expire on ``until``; all of them or none (KEY-4).

        The certificate in the answer is the vault's own export: publish it merged
        with every earlier one (``merged_certificate``).
        """

    def merged_certificate(self, certificates: Sequence[str]) -> str:
        """One armored certificate with every signature of all exports of one key (KEY-4)."""

    def make_revocation(
        self, fingerprint: str, reason: RevocationReason, text: str, passphrase: Secret
    ) -> OpenPgpRevocation:
        """Make a revocation dated now; the key itself stays as it is (KEY-1, KEY-5).

        A *superseded* revocation counts from its date on: strict verifiers reject
        what was signed later. Made at birth it is for a key whose secret is lost;
        for a rotation make a fresh one.
        """

    def check_revocation(self, fingerprint: str, block: bytes) -> OpenPgpRevocation:
        """What this revocation would do to this key; nothing is changed."""

    def apply_revocation(self, fingerprint: str, block: bytes) -> OpenPgpRevocation:
        """Revoke the key in the vault; twice is once. There is no way back (KEY-5)."""

    def cross_certify(
        self, certifier_fingerprint: str, certifier_passphrase: Secret, subject_fingerprint: str
    ) -> str:
        """The certificate of the subject, its user IDs certified by the certifier (KEY-4).

        The vault is not changed: what counts is what gets registered. Publish it merged
        with every earlier certificate.
        """

    def prove_primary(self, fingerprint: str, passphrase: Secret) -> None:
        """Use the primary secret key without leaving a trace in the vault (CUS-2)."""
