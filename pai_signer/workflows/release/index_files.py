"""What the public learns of this workstation's releases, signed and kept in the vault (VER-2).

The index and the texts of each deprecation are made from the journal; the store keeps what
was signed last. The journal's ``index.signed`` entries pin how far the index had come, so
that a vault that lost its store, or was restored, can only ever go on from there.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from pai_signer.domain.deprecation import public_texts
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.registry import Algorithm, Registry
from pai_signer.domain.release_index import (
    INDEX_NAME,
    ReleaseIndex,
    check_extends,
    extended,
    journal_facts,
    parse_index,
)
from pai_signer.errors import BadSignature, PolicyRefused, UntrustedKey
from pai_signer.workflows.engine import Step
from pai_signer.workflows.keys.sign_with_all import sign_with_all
from pai_signer.workflows.keys.signer_passphrases import MinisignPassphrase, OpenPgpPassphrase
from pai_signer.workflows.verify.counting import PAPER_SIGNER, CountingSignatures
from pai_signer.workflows.verify.verify_registry import verify_signed_by_all
from pai_signer.workflows.workbench import Workbench

S = TypeVar("S", bound=msgspec.Struct)

NOTHING_SIGNED: Final = "Nothing was signed, and the release index is as it was."
INDEX_SIGNED: Final = "index.signed"


def index_now(bench: Workbench, published: ReleaseIndex | None = None) -> ReleaseIndex:
    """The index as the journal makes it, going on from the one that was signed last.

    ``published`` is what users have already: where it goes on from ours (the journal was
    restored from an old backup), its entries are kept too. Raises ``BadSignature`` where an
    entry would be lost or changed, ``FormatError`` where the journal contradicts one.
    """
    stored = bench.index_store.load()
    base = ReleaseIndex(project=bench.profile.project.name, rehearsal=bench.info.rehearsal)
    if stored:
        base = parse_index(stored[INDEX_NAME])
    if published is not None and len(published.entries) > len(base.entries):
        check_extends(base, published, shown_earlier="the index that was signed here last")
        base = published
    index = extended(base, journal_facts(bench.journal.entries()))
    for entry in bench.journal.entries():
        if entry.event == INDEX_SIGNED:
            _check_pinned(index, entry.facts)
    if published is not None:
        check_extends(published, index, shown_earlier="the published index")
    return index


def _check_pinned(index: ReleaseIndex, facts: Mapping[str, Any]) -> None:
    """The journal says which entry stood at which place when an index was signed."""
    n, head = facts.get("entries"), facts.get("head")
    at = index.entries[n - 1] if isinstance(n, int) and 0 < n <= len(index.entries) else None
    if at is None or at.hash != head:
        raise BadSignature(
            "VER-2/lost-entry",
            f"The release index would lose or change entry {n}, which was signed before.",
            "Nothing is signed so. Look at 'pai-signer journal verify', and compare the vault "
            "with a backup.",
        )


def is_current(bench: Workbench, index: ReleaseIndex) -> bool:
    """Whether what is stored tells all of ``index`` and is signed by the keys of today."""
    stored, registry = bench.index_store.load(), bench.registry()
    texts = public_texts(index, bench.profile)
    if any(stored.get(name) != data for name, data in texts.items()):
        return False
    last = _last_signed(bench)
    return last is not None and last.facts.get("keys") == _signing_ids(registry)


def _last_signed(bench: Workbench) -> JournalEntry | None:
    signed = (e for e in reversed(bench.journal.entries()) if e.event == INDEX_SIGNED)
    return next(signed, None)


def _signing_ids(registry: Registry) -> list[str]:
    return [key.id for a in Algorithm if (key := registry.signing_key(a)) is not None]


def sign_index_files(bench: Workbench, index: ReleaseIndex, command: str) -> None:
    """Sign ``index`` and its texts with both keys, verify, journal and store; wipes the session.

    Raises what signing and verifying raise; the stored files are then as they were.
    """
    registry, texts = bench.registry(), public_texts(index, bench.profile)
    try:
        files = sign_with_all(bench, registry, texts, f"index-{len(index.entries)}")
    finally:
        bench.session.wipe()
    for name in texts:
        verify_signed_by_all(
            files, name, registry, bench.verifiers, accept_rehearsal=bench.info.rehearsal
        )
    # Evidence first: a crash in between asks again, and never leaves a change without an entry.
    bench.journal.append(
        INDEX_SIGNED,
        {
            "entries": len(index.entries),
            "head": index.head,
            "keys": _signing_ids(registry),
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
            "command": command,
        },
    )
    bench.index_store.save(files)


def publishable(bench: Workbench) -> dict[str, bytes]:
    """What goes beside the published keys, verified once more (SIG-5); nothing if there is none.

    Nothing either where only keys that are compromised by now had signed it: it is to be
    signed anew first. Raises ``BadSignature`` where a file is not the one that was signed.
    """
    files, last = bench.index_store.load(), _last_signed(bench)
    if not files or last is None:
        return {}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if digests != last.facts.get("files"):
        raise BadSignature(
            "VER-2/changed",
            "The release index in the vault, or what belongs to it, is not as it was signed.",
            "Do not use this workstation before you know why. The journal has the digests of "
            "what was signed.",
        )
    # All of them were signed together, and verified then: the index stands for them.
    registry = bench.registry()
    signatures = CountingSignatures(
        files, registry, bench.verifiers, accept_rehearsal=bench.info.rehearsal
    )
    try:
        signatures.counting(INDEX_NAME)
    except UntrustedKey as error:
        if error.code != PAPER_SIGNER:
            raise
        return {}
    return files


class IndexMinisignPassphrase(MinisignPassphrase[S]):
    """Unlocks the minisign key for the index."""

    unchanged = NOTHING_SIGNED


class IndexOpenPgpPassphrase(OpenPgpPassphrase[S]):
    """Proves the passphrase of the OpenPGP key for the index."""

    unchanged = NOTHING_SIGNED


def passphrase_steps(bench: Workbench, is_over: Callable[[S], bool]) -> tuple[Step[S], Step[S]]:
    """The steps that ask for both passphrases, until ``is_over``."""

    def nobody_ends(_state: S) -> str:
        return ""

    minisign: Step[S] = IndexMinisignPassphrase(bench, nobody_ends, is_over)
    openpgp: Step[S] = IndexOpenPgpPassphrase(bench, nobody_ends, is_over)
    return minisign, openpgp


def check_can_sign(bench: Workbench) -> None:
    """``PolicyRefused`` where no key could sign the index."""
    if not _signing_ids(bench.registry()):
        raise PolicyRefused(
            "VER-2/nobody-to-sign",
            "There is no key that could sign the release index.",
            "Generate the keys first: pai-signer key generate",
        )
