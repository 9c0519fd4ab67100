"""The receipt of one signing visit: what, from what, by which keys, under which rules (EXP-3).

``receipt.json`` (or ``receipt-tag.json`` for a visit that signed the tag alone)
is pretty-printed JSON with a final newline, signed by both keys like the
manifest. It carries the journal's head at the moment of signing, so that a
published receipt pins the journal up to there.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from pai_signer.domain.artifact import Record
from pai_signer.domain.history import Visited
from pai_signer.domain.manifest import is_sha256
from pai_signer.domain.policy import CheckResult
from pai_signer.domain.records import decode_record
from pai_signer.domain.text import safe_text
from pai_signer.domain.words import to_words
from pai_signer.errors import FormatError

FORMAT: Final = 1
MAX_RECEIPT_BYTES: Final = 1 << 20
RECEIPT_NAME: Final = "receipt.json"
TAG_RECEIPT_NAME: Final = "receipt-tag.json"


class ReceiptArtifact(Record, frozen=True, kw_only=True):
    """One signed file, with who vouched for its digest."""

    name: str
    size_bytes: int
    sha256: str
    blake2b_512: str
    vouched_for_by: tuple[str, ...]
    findings: tuple[str, ...]


class ReceiptTag(Record, frozen=True, kw_only=True):
    """The signed tag."""

    name: str
    oid: str
    commit: str


class ReceiptKey(Record, frozen=True, kw_only=True):
    """A key that signed."""

    algorithm: str
    id: str


class ReceiptTool(Record, frozen=True, kw_only=True):
    """An outside program that was at hand, and where: ``version`` as it states it itself."""

    name: str
    path: str
    version: str


class JournalHead(Record, frozen=True, kw_only=True):
    """The number and hash of the newest journal entry."""

    n: int
    hash: str

    @property
    def is_whole(self) -> bool:
        """Whether it can be the head of a journal, and stand in words."""
        return self.n >= 0 and is_sha256(self.hash)


class Receipt(Record, frozen=True, kw_only=True):
    """One visit's result; ``files`` are SHA-256 digests by name of all else that it made.

    The text for people is among them, so that the signatures cover it as well; it is
    rendered from all of the receipt but that one digest.
    """

    format: Literal[1] = FORMAT
    project: str
    version: str
    visit: Visited
    rehearsal: bool
    signed_at: str
    maintainer: str
    program: str
    keys: tuple[ReceiptKey, ...]
    checks: tuple[CheckResult, ...]
    journal: JournalHead
    files: dict[str, str]
    artifacts: tuple[ReceiptArtifact, ...] = ()
    manifest_sha256: str | None = None
    tag: ReceiptTag | None = None
    #: Receipts of earlier visits of the same version, by name, with their SHA-256.
    earlier: dict[str, str] = msgspec.field(default_factory=dict)
    #: Over the program's own files, and the tools it used (SEC-2). Older receipts lack both.
    program_sha256: str | UnsetType = UNSET
    tools: tuple[ReceiptTool, ...] | UnsetType = UNSET


def receipt_name(visit: Visited) -> str:
    """Where the receipt of a visit is kept."""
    return TAG_RECEIPT_NAME if visit == "tag" else RECEIPT_NAME


def text_name(receipt: str) -> str:
    """The file name of a receipt's form for people."""
    return receipt.replace(".json", ".txt")


def parse_receipt(data: bytes) -> Receipt:
    """Parse strictly; ``FormatError`` for anything that we would not write."""
    receipt = decode_record(data, Receipt, "receipt.json", limit_bytes=MAX_RECEIPT_BYTES)
    if not receipt.journal.is_whole:
        raise FormatError(
            "EXP-3/receipt",
            "The receipt names no entry of a journal.",
            "Get it again from where it came.",
        )
    return receipt


def head_words(head_hash: str) -> str:
    """A journal head's first 8 bytes as words to write on paper (JRN-1)."""
    return " ".join(to_words(bytes.fromhex(head_hash)[:8]))


def render_receipt_text(receipt: Receipt) -> str:
    """The receipt for people: plain ASCII lines under 80 columns where names allow it."""
    lines = [
        f"RECEIPT: {receipt.project} {receipt.version} ({receipt.visit})",
        *(["REHEARSAL: made with throwaway keys; this proves nothing."] * receipt.rehearsal),
        "",
        f"signed at      {receipt.signed_at}",
        f"by             {receipt.maintainer}",
        f"program        {receipt.program}",
        *([f"  its files    {receipt.program_sha256}"] if receipt.program_sha256 else []),
        *(f"tool           {tool.version} ({tool.path})" for tool in receipt.tools or ()),
        *(f"key            {key.algorithm} {key.id}" for key in receipt.keys),
        "",
    ]
    if receipt.tag is not None:
        lines += [
            f"tag            {receipt.tag.name}",
            f"  object       {receipt.tag.oid}",
            f"  commit       {receipt.tag.commit}",
            "",
        ]
    for artifact in receipt.artifacts:
        lines += [
            f"artifact       {artifact.name} ({artifact.size_bytes:,} bytes)",
            f"  sha256       {artifact.sha256}",
            f"  vouched for  {', '.join(artifact.vouched_for_by) or 'by nobody (waived)'}",
            *(f"  image        {finding}" for finding in artifact.findings),
        ]
    if receipt.manifest_sha256:
        lines += ["", "manifest's own SHA-256", f"  {receipt.manifest_sha256}", ""]
    for check in receipt.checks:
        lines.append(f"{check.id:<6} {check.result.value:<7} {check.text}")
        if check.reason:
            lines.append(f"{'':14} waived because: {check.reason}")
    lines += [
        "",
        f"journal entry  {receipt.journal.n}",
        f"  head         {receipt.journal.hash}",
        f"  in words     {head_words(receipt.journal.hash)}",
        "",
        "files made",
        *(f"  {digest}  {name}" for name, digest in sorted(receipt.files.items())),
    ]
    return "".join(f"{safe_text(line)}\n" for line in lines)
