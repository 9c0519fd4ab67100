"""The ledger, as it stands: key x custodian x medium, last proof, and what it is worth (CUS-3)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pai_signer.domain.backup import COPIES, folder_name
from pai_signer.domain.ledger import CustodyStatus, CutShort, Ledger, Row
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.profile import CustodyRules
from pai_signer.domain.registry import RegisteredKey
from pai_signer.workflows.custody.making import active_keys
from pai_signer.workflows.custody.proved_pages import medium_data
from pai_signer.workflows.engine import Outcome, Workflow
from pai_signer.workflows.show import ShowState, showing
from pai_signer.workflows.workbench import Workbench


def backup_status(bench: Workbench) -> Workflow[ShowState]:
    """What is backed up, by whom, on what, and what of it counts today; nothing is changed."""
    return showing("backup-status", "Backups", lambda _chosen: _status(bench))


def custody_pages(bench: Workbench) -> tuple[Page, ...]:
    """What was cut short, then one page for each active key, then what else the ledger knows."""
    ledger, rules, now = bench.ledger(), bench.profile.custody, bench.clock.now()
    keys = active_keys(bench)
    pages = [_key_page(key, ledger, rules, now) for key in keys]
    others = [row for row in ledger.rows if all(row.key_id != key.id for key in keys)]
    if others:
        lines = [
            line
            for row in others
            for line in (
                Line(row.key_id, label=row.algorithm.shown),
                *_row_lines(row, "not a key in use"),
                Line(),
            )
        ]
        pages.append(Page("Backups of other keys", tuple(lines)))
    if not keys:
        pages.insert(0, Page("Backups", (Line("there is no active key to back up"),)))
    if ledger.cut_short:
        pages.insert(0, _cut_short_page(ledger.cut_short, bench.profile.project.slug))
    return tuple(pages)


def _cut_short_page(cut_short: Sequence[CutShort], slug: str) -> Page:
    lines: list[Line] = []
    for one in cut_short:
        folders = (folder_name(slug, one.set_number, copy) for copy in (COPIES[0], COPIES[-1]))
        lines += [
            Line(one.custodian, label="custodian", mark=Mark.WARN),
            Line(one.medium.shown, label="medium"),
            Line(f"{one.at:%Y-%m-%d %H:%M} UTC", label="begun"),
            Line(" to ".join(folders), label="folders"),
            Line(),
        ]
    lines += [
        Line("Writing was begun and never ended. It counts for nothing."),
        Line("Parts of it may lie there, with keys in them: remove these folders,"),
        Line("and make the backup anew (backup create)."),
    ]
    return Page("Backups that were cut short", tuple(lines))


def _key_page(key: RegisteredKey, ledger: Ledger, rules: CustodyRules, now: datetime) -> Page:
    status = ledger.custody_of(key.id, rules, now)
    lines = [
        Line(key.id, label=key.algorithm.shown),
        Line(status.text, label="custody", mark=Mark.OK if status.is_enough else Mark.FAIL),
    ]
    if status.due is not None:
        lines.append(Line(f"{status.due:%Y-%m-%d}", label="prove again by"))
    rows = ledger.rows_of(key.id)
    for row in rows:
        lines += [Line(), *_row_lines(row, row.why_not(rules, now))]
    if not rows:
        lines += [Line(), Line("Next: pai-signer backup create --custodian NAME DEST")]
    return Page(f"Backups of the {key.algorithm.shown} key", tuple(lines))


def _row_lines(row: Row, why_not: str) -> Iterator[Line]:
    yield Line(row.custodian, label="custodian", mark=Mark.WARN if why_not else Mark.OK)
    serial = f", serial {row.medium.serial}" if row.medium.serial else ""
    yield Line(f"{row.medium.shown}{serial}", label="medium")
    proved = f"{row.proof.at:%Y-%m-%d %H:%M} UTC" if row.proof else "never"
    yield Line(f"{proved} (set {row.set_number})", label="last proof")
    yield Line(why_not or "yes", label="counts")


def _status(bench: Workbench) -> Outcome:
    ledger, rules, now = bench.ledger(), bench.profile.custody, bench.clock.now()
    statuses = [(key, ledger.custody_of(key.id, rules, now)) for key in active_keys(bench)]
    data = {
        "wanted": {
            "custodians": rules.custodians,
            "media": rules.media,
            "proof_days": rules.proof_days,
        },
        "keys": [_key_data(key, status) for key, status in statuses],
        "backups": [_row_data(row, rules, now) for row in ledger.rows],
        "cut_short": [_cut_short_data(one) for one in ledger.cut_short],
    }
    return Outcome(custody_pages(bench), data)


def _key_data(key: RegisteredKey, status: CustodyStatus) -> dict[str, Any]:
    oldest = status.oldest
    return {
        "algorithm": key.algorithm.value,
        "id": key.id,
        "enough": status.is_enough,
        "text": status.text,
        "custodians": list(status.custodians),
        "media": status.media,
        "oldest_proof": oldest.at.isoformat() if oldest else None,
        "due": status.due.isoformat() if status.due else None,
    }


def _row_data(row: Row, rules: CustodyRules, now: datetime) -> dict[str, Any]:
    why_not, proof = row.why_not(rules, now), row.proof
    return {
        "algorithm": row.algorithm.value,
        "key": row.key_id,
        "custodian": row.custodian,
        "medium": medium_data(row.medium),
        "set": row.set_number,
        "salts": list(row.salts),
        "last_proof": proof.at.isoformat() if proof else None,
        "proved_by": proof.source if proof else None,
        "due": (proof.at + timedelta(days=rules.proof_days)).isoformat() if proof else None,
        "counts": not why_not,
        "why_not": why_not,
    }


def _cut_short_data(one: CutShort) -> dict[str, Any]:
    return {
        "custodian": one.custodian,
        "medium": medium_data(one.medium),
        "set": one.set_number,
        "begun": one.at.isoformat(),
    }
