"""The journal at the start, and compared with the heads that others know (JRN-1, JRN-2).

The chain shows that nothing in it was changed; that its end was not cut off, only somebody
else can tell: a receipt that went out, the paper, a backup, or what lies in the vault itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.ceremony import TRANSCRIPT_NAME, parse_transcript
from pai_signer.domain.journal import GENESIS, JournalEntry
from pai_signer.domain.noted_head import check_holds, check_holds_recorded, parse_noted_head
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import MAX_RECEIPT_BYTES, JournalHead, head_words, parse_receipt
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, MediumError, SignerError, UsageError
from pai_signer.workflows.engine import (
    Answer,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.verify.covered import RECEIPTS
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Workbench

NOTHING_CHANGED: Final = "The journal was left as it is."


# --- at the start ----------------------------------------------------------------------------


def settle_journal(bench: Workbench) -> tuple[str, ...]:
    """Set a torn last line aside, then compare the journal with every head in the vault.

    Returns what was done and what could not be compared, one line each; ``JournalTampered``
    where the journal was rolled back or written anew.
    """
    notes = []
    recovered = bench.journal.recover()
    if recovered is not None:
        facts = recovered.facts
        notes.append(
            f"An interrupted write had left a piece of line {facts['line']} of the journal "
            f"({facts['size_bytes']} bytes, never acknowledged). It is kept as "
            f"{facts['kept_as']}, and entry {recovered.n} says so."
        )
    return (*notes, *_compare_with_the_vault(bench))


def _compare_with_the_vault(bench: Workbench) -> Iterator[str]:
    entries = bench.journal.entries()
    for where, data in _records(bench):
        try:
            for head in _heads(where, data):
                check_holds_recorded(entries, head, where)
        except FormatError as error:
            yield f"{where} was not compared with the journal: {error.summary}"


def _records(bench: Workbench) -> Iterator[tuple[str, bytes]]:
    """Every receipt and transcript in the vault, with its place."""
    for version in bench.releases.versions():
        staged = bench.releases.staged(version)
        yield from ((f"releases/{version}/{n}", staged[n]) for n in RECEIPTS if n in staged)
    for ceremony in bench.ceremonies.names():
        data = bench.ceremonies.load(ceremony).get(TRANSCRIPT_NAME)
        if data is not None:
            yield f"ceremonies/{ceremony}/{TRANSCRIPT_NAME}", data


def _heads(where: str, data: bytes) -> tuple[JournalHead, ...]:
    if where.endswith(TRANSCRIPT_NAME):
        transcript = parse_transcript(data)
        end = transcript.journal_at_end
        return (transcript.journal_at_begin, *((end,) if end else ()))
    return (parse_receipt(data).journal,)


# --- asked for ---------------------------------------------------------------------------------


class VerifyJournalState(Record, frozen=True, kw_only=True):
    """What to compare with; None is not asked yet, empty is nothing."""

    receipt: str | None = None
    noted: str | None = None


def verify_journal(
    bench: Workbench, receipt: str | None = None, noted: str | None = None
) -> Workflow[VerifyJournalState]:
    """Build the workflow: the whole chain, then a receipt and a head from paper if given."""
    return Workflow(
        name="verify-journal",
        key="",
        title="Verify the journal",
        start=VerifyJournalState(
            receipt=None if receipt is None else _checked_receipt(receipt),
            noted=None if noted is None else _checked_head(noted),
        ),
        steps=(_AskReceipt(), _AskHead()),
        outcome=lambda state: _outcome(bench, state),
    )


def _checked_receipt(text: str) -> str:
    path = given_directory(text)
    if path and Path(path).name not in RECEIPTS:
        raise UsageError(
            "JRN-1/no-receipt",
            f"{safe_text(path, limit=200)!r} is not the name of a receipt.",
            f"Give the path of a {' or '.join(RECEIPTS)}, with its signatures beside it.",
        )
    return path


def _checked_head(text: str) -> str:
    text = " ".join(text.split())
    if text:
        parse_noted_head(text)
    return text


class _AskReceipt(Step[VerifyJournalState]):
    """A receipt that left this vault pins the journal up to its signing (EXP-3)."""

    id = "receipt"
    title = "A receipt to compare with"
    unchanged = NOTHING_CHANGED

    def done(self, state: VerifyJournalState) -> bool:
        return state.receipt is not None

    def question(self, state: VerifyJournalState) -> Question:
        prompt = "Path of a published receipt.json (empty: none)"
        return TypedText(self.id, prompt, default="", may_be_empty=True)

    def act(
        self, state: VerifyJournalState, answer: Answer, progress: Progress
    ) -> VerifyJournalState:
        return msgspec.structs.replace(state, receipt=_checked_receipt(str(answer)))


class _AskHead(Step[VerifyJournalState]):
    """A head that stands on paper."""

    id = "head"
    title = "A head to compare with"
    unchanged = NOTHING_CHANGED

    def done(self, state: VerifyJournalState) -> bool:
        return state.noted is not None

    def question(self, state: VerifyJournalState) -> Question:
        prompt = "Number of an entry, then its hash or its words (empty: none)"
        return TypedText(self.id, prompt, default="", may_be_empty=True)

    def act(
        self, state: VerifyJournalState, answer: Answer, progress: Progress
    ) -> VerifyJournalState:
        return msgspec.structs.replace(state, noted=_checked_head(str(answer)))


def _outcome(bench: Workbench, state: VerifyJournalState) -> Outcome:
    entries = bench.journal.entries()
    lines: list[Line] = []
    compared: list[tuple[str, int]] = []
    signed_by: tuple[str, ...] = ()
    try:
        if state.receipt:
            head, signed_by = _head_of_receipt(bench, Path(state.receipt))
            check_holds_recorded(entries, head, f"The receipt {state.receipt}")
            compared.append((state.receipt, len(entries) - head.n))
        if state.noted:
            noted = parse_noted_head(state.noted)
            check_holds(entries, noted, "What was noted")
            compared.append(("the noted head", len(entries) - noted.n))
    except SignerError as error:
        if error.unchanged is None:
            error.unchanged = NOTHING_CHANGED
        line = Line(error.summary, label="compared", mark=Mark.FAIL)
        title = "The chain is whole, but not proved to be the newest"
        return Outcome((Page(title, (*_chain(entries), line)),), {}, refusal=error)
    for what, since in compared:
        text = f"{what}: its entry is here, {since} since"
        lines.append(Line(text, label="compared", mark=Mark.OK))
    lines += [Line(signer, label="receipt by", mark=Mark.OK) for signer in signed_by]
    if not compared:
        lines.append(Line("Nothing from outside was compared: a receipt or the paper can tell"))
        lines.append(Line("whether the whole vault is an older copy."))
    data = {
        "entries": len(entries),
        "head": _head(entries),
        "compared": [{"with": what, "entries_since": since} for what, since in compared],
        "receipt_signed_by": list(signed_by),
    }
    return Outcome((Page("The journal is whole", (*_chain(entries), *lines)),), data)


def _head_of_receipt(bench: Workbench, path: Path) -> tuple[JournalHead, tuple[str, ...]]:
    """The head in a receipt whose signatures hold: a forged one would prove anything."""
    name = path.name
    with bench.sources.open(path.parent) as folder:
        there = {entry.name for entry in folder.listing().files}
        if name not in there:
            raise MediumError(
                "JRN-1/receipt-missing",
                f"There is no file {safe_text(str(path), limit=200)!r}.",
                "Check the path, and that the medium is plugged in and mounted.",
            )
        wanted = (name, name + MINISIG_SUFFIX, name + OPENPGP_SUFFIX)
        files = {n: folder.read_small(n, MAX_RECEIPT_BYTES) for n in wanted if n in there}
    verifier = ReleaseVerifier(
        bench.verifiers,
        bench.registry(),
        manifest_name=bench.profile.artifacts.manifest,
        accept_rehearsal=bench.info.rehearsal,
    )
    signed_by = verifier.verify(files, {}).signed_by
    return parse_receipt(files[name]).journal, signed_by


def _head(entries: tuple[JournalEntry, ...]) -> str:
    return entries[-1].hash if entries else GENESIS


def _chain(entries: tuple[JournalEntry, ...]) -> tuple[Line, ...]:
    if not entries:  # a crash right after the vault was made
        return (Line("it has no entry yet", mark=Mark.OK),)
    return (
        Line(f"{len(entries)}, unbroken", label="entries", mark=Mark.OK),
        Line(_head(entries), label="head"),
        Line(head_words(_head(entries)), label="in words"),
    )
