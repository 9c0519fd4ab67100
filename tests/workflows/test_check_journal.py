"""A journal that was torn, rolled back or written anew is told at the start and when asked (JRN-1).

The vault of another day is a whole and valid one: only what others know tells it apart.
"""

import shutil
from pathlib import Path

import msgspec
import pytest

from pai_signer.composition import open_workbench
from pai_signer.domain.journal import encode_entry, next_entry
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import head_words
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    JournalTampered,
    MediumError,
    SignerError,
    UsageError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, opened, run, secrets, signed_vault

STAGING = f"releases/{RELEASE}/staging"


def verify(bench: Workbench, receipt: Path | str = "", head: str = "") -> Outcome:
    return run(bench, "journal.verify", receipt=str(receipt), head=head)


def refusal(bench: Workbench, receipt: Path | str = "", head: str = "") -> SignerError:
    with pytest.raises(SignerError) as caught:
        verify(bench, receipt, head)
    assert caught.value.unchanged
    assert bench.states.names() == ()
    return caught.value


def roll_back(vault: Path, kept: int) -> None:
    """Journal and head as they were ``kept`` entries long: a chain that is whole."""
    lines = (vault / "journal.jsonl").read_bytes().splitlines(keepends=True)[:kept]
    (vault / "journal.jsonl").write_bytes(b"".join(lines))
    digest = lines[-1].rpartition(b'"hash":"')[2][:64].decode()
    (vault / "journal.head").write_text(f"{kept} {digest}\n")


def signing_entry(bench: Workbench) -> int:
    return next(e.n for e in bench.journal.entries() if e.event == "release.signing")


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return signed_vault(tmp_path / "vault")


# --- asked for ------------------------------------------------------------------------------


def test_the_chain_alone_says_that_nothing_from_outside_was_compared(signed: Workbench) -> None:
    outcome = verify(signed)
    entries = signed.journal.entries()
    assert outcome.data["entries"] == len(entries)
    assert outcome.data["head"] == entries[-1].hash
    assert outcome.data["compared"] == []
    text = "\n".join(line.text for page in outcome.pages for line in page.lines)
    assert head_words(entries[-1].hash) in text
    assert "Nothing from outside was compared" in text


def test_a_published_receipt_and_a_head_on_paper_are_compared(
    signed: Workbench, folder: Path
) -> None:
    entries = signed.journal.entries()
    third = entries[2]
    outcome = verify(signed, folder / "receipt.json", f"3: {head_words(third.hash)}")
    since = len(entries) - signing_entry(signed)
    assert outcome.data["compared"] == [
        {"with": str(folder / "receipt.json"), "entries_since": since},
        {"with": "the noted head", "entries_since": len(entries) - 3},
    ]
    assert len(outcome.data["receipt_signed_by"]) == 2


def test_the_app_asks_for_both_and_an_empty_line_is_none(signed: Workbench) -> None:
    conversation = catalogue.begin(signed, "journal.verify", {})
    asked = []
    while (step := conversation.step) is not None:
        asked.append(step.id)
        assert step.question(conversation.state).default == ""
        conversation.answer("", Progress())
    assert asked == ["receipt", "head"]
    assert conversation.finish().data["compared"] == []


def test_a_rolled_back_vault_is_found_by_a_published_receipt(vault: Path, folder: Path) -> None:
    """The whole vault is an older copy: nothing in it can tell."""
    with opened(vault) as bench:
        kept = signing_entry(bench) - 1
        paper = bench.journal.entries()[-1]
    roll_back(vault, kept)
    shutil.rmtree(vault / "releases" / RELEASE)
    with opened(vault) as bench:
        error = refusal(bench, folder / "receipt.json")
        assert (error.code, error.exit_code) == ("JRN-1/rolled-back", 4)
        assert f"ends at entry {kept}" in error.summary
        error = refusal(bench, head=f"{paper.n}:{paper.hash[:16]}")
        assert (error.code, error.exit_code) == ("JRN-1/rolled-back", 4)
        assert verify(bench, head=f"1 {bench.journal.entries()[0].hash}").data["compared"]


def test_a_journal_that_was_written_anew_is_found(vault: Path, folder: Path) -> None:
    with opened(vault) as bench:
        entries = list(bench.journal.entries())
    at = next(i for i, e in enumerate(entries) if e.event == "release.signing")
    forged = entries[: at - 1]
    for entry in entries[at - 1 :]:
        forged.append(next_entry(forged[-1], entry.time, entry.event, {**entry.facts, "x": 1}))
    (vault / "journal.jsonl").write_bytes(b"".join(map(encode_entry, forged)))
    (vault / "journal.head").write_text(f"{forged[-1].n} {forged[-1].hash}\n")
    with pytest.raises(JournalTampered) as caught, opened(vault):
        pass
    assert caught.value.code == "JRN-1/forked"
    assert f"releases/{RELEASE}/receipt.json" in caught.value.summary


def test_a_receipt_that_proves_nothing_is_refused(
    signed: Workbench, folder: Path, tmp_path: Path
) -> None:
    receipt = folder / "receipt.json"
    alone = tmp_path / "alone" / "receipt.json"
    alone.parent.mkdir()
    shutil.copy(receipt, alone)
    assert isinstance(refusal(signed, alone), CannotTell)
    # Doctored to fit a journal that was rolled back: only the signatures tell.
    first = signed.journal.entries()[0]
    whole = receipt.read_bytes()
    number = signing_entry(signed)
    old_hash = signed.journal.entries()[number - 1].hash
    forged = whole.replace(old_hash.encode(), first.hash.encode())
    assert forged != whole
    receipt.write_bytes(forged.replace(f'"n": {number}'.encode(), b'"n": 1'))
    assert isinstance(refusal(signed, receipt), BadSignature)
    assert isinstance(refusal(signed, folder / "gone" / "receipt.json"), SignerError)
    receipt.unlink()
    assert isinstance(refusal(signed, receipt), MediumError)


@pytest.mark.parametrize(
    ("receipt", "head", "kind"),
    [
        ("/x/other.json", "", UsageError),
        ("", "twelve", UsageError),
        ("", "0:" + "ab" * 32, UsageError),
        ("", "3: no such words", FormatError),
    ],
)
def test_what_is_neither_a_receipt_nor_a_head_is_refused_before_anything_begins(
    signed: Workbench, receipt: str, head: str, kind: type[SignerError]
) -> None:
    assert isinstance(refusal(signed, receipt, head), kind)


# --- at the start ----------------------------------------------------------------------------


def test_at_the_start_the_journal_is_compared_with_the_receipts_in_the_vault(vault: Path) -> None:
    with opened(vault) as bench:
        kept = signing_entry(bench) - 1
    roll_back(vault, kept)
    before = (vault / "journal.jsonl").read_bytes()
    with pytest.raises(JournalTampered) as caught, opened(vault):
        pass
    assert (caught.value.code, caught.value.exit_code) == ("JRN-1/rolled-back", 4)
    assert f"releases/{RELEASE}/receipt.json" in caught.value.summary
    assert (vault / "journal.jsonl").read_bytes() == before


def test_at_the_start_the_journal_is_compared_with_the_transcripts_in_the_vault(
    empty: Workbench, tmp_path: Path
) -> None:
    run(empty, "key.generate", secrets())
    assert empty.ceremonies.names()
    copy = Path(shutil.copytree(tmp_path / "vault", tmp_path / "copy"))
    with opened(copy):
        pass
    roll_back(copy, 1)
    with pytest.raises(JournalTampered) as caught, opened(copy):
        pass
    assert caught.value.code == "JRN-1/rolled-back"
    assert "ceremonies/" in caught.value.summary


def test_a_receipt_that_cannot_be_read_is_told_and_stops_nobody(vault: Path) -> None:
    path = vault / STAGING / "receipt.json"
    receipt = msgspec.json.decode(path.read_bytes())
    path.write_bytes(b"junk")
    with open_workbench(vault) as (_, notes):
        assert any(f"releases/{RELEASE}/receipt.json was not compared" in n for n in notes)
    receipt["journal"]["hash"] = "zz"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n")
    with open_workbench(vault) as (_, notes):
        assert any("names no entry of a journal" in n for n in notes)


def test_a_torn_last_line_is_told_at_the_start_and_journalled(vault: Path) -> None:
    with (vault / "journal.jsonl").open("ab") as file:
        file.write(b'{"n":99,"at":"20')
    with open_workbench(vault) as (bench, notes):
        last = bench.journal.entries()[-1]
    assert last.event == "journal.recovered"
    assert len(notes) == 1
    assert "never acknowledged" in notes[0]
    assert str(last.facts["kept_as"]) in notes[0]
    assert (vault / str(last.facts["kept_as"])).read_bytes() == b'{"n":99,"at":"20'
    with open_workbench(vault) as (_, notes):
        assert notes == ()
