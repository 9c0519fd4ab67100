"""Signing depends on custody that is proved, dated, and shown (POL-7, CUS-3, KEY-6)."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from pai_signer.domain.custody import (
    BACKUP_WITHDRAWN,
    KeyName,
    MediumIdentity,
    WithdrawalCause,
    WithdrawnFacts,
)
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.receipt import parse_receipt
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import CustodyError, JournalTampered
from pai_signer.workflows.engine import YES
from pai_signer.workflows.overview import check_pages, home_page
from pai_signer.workflows.release.export_release import export_files
from pai_signer.workflows.workbench import Workbench
from tests.custody import prove, stick
from tests.workflows.bench import (
    RELEASE,
    ShiftedClock,
    downloads,
    events,
    keyed_vault,
    opened,
    run,
    secrets,
    sign,
    signed_vault,
)

ONE, TWO = stick("A-1", "S1", "PAI-A"), stick("B-1", "S2", "PAI-B")


def two_proved(bench: Workbench) -> None:
    prove(bench, "Anna", ONE)
    prove(bench, "Bob", TWO)


def sign_unwaived(bench: Workbench) -> None:
    answers = {"clock": YES, "confirm": RELEASE, **secrets()}
    run(bench, "release.sign", answers, version=RELEASE)


def test_two_fresh_proofs_open_the_gate_and_stand_on_the_receipt(imported: Workbench) -> None:
    two_proved(imported)
    sign_unwaived(imported)
    receipt = parse_receipt(imported.releases.staged(RELEASE)["receipt.json"])
    (check,) = [check for check in receipt.checks if check.id == "POL-7"]
    assert (check.result.value, check.reason) == ("passed", "")
    assert check.text == "2 of 2 proved, oldest proof today"


def one_custodian(bench: Workbench) -> None:
    prove(bench, "Anna", ONE)
    prove(bench, "anna", TWO)


def one_medium(bench: Workbench) -> None:
    prove(bench, "Anna", ONE)
    prove(bench, "Bob", ONE)


def previous_key(bench: Workbench) -> None:
    previous = KeyName(algorithm=Algorithm.MINISIGN, id="ABCDEF0123456789")
    openpgp = bench.registry().signing_key(Algorithm.OPENPGP)
    assert openpgp is not None
    current = KeyName(algorithm=Algorithm.OPENPGP, id=openpgp.id)
    prove(bench, "Anna", ONE, previous, current)
    prove(bench, "Bob", TWO, previous, current)


def no_medium(bench: Workbench) -> None:
    prove(bench, "Anna", MediumIdentity())
    prove(bench, "Bob", TWO)


def medium_lost(bench: Workbench) -> None:
    two_proved(bench)
    facts = WithdrawnFacts(cause=WithdrawalCause.MEDIUM_LOST, why="left on a train", medium=TWO)
    bench.journal.append(BACKUP_WITHDRAWN, msgspec.to_builtins(facts))


REFUSED: Final[dict[str, tuple[Callable[[Workbench], None], str]]] = {
    "no backup": (lambda bench: None, "no backup is known"),
    "one custodian": (one_custodian, "1 of 2 custodians proved"),
    "two custodians on one medium": (one_medium, "on 1 medium of 2 wanted"),
    "the previous key": (previous_key, "minisign key: 0 of 2 custodians proved"),
    "no removable medium": (no_medium, "from no removable medium"),
    "a lost medium": (medium_lost, "withdrawn (medium-lost)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_without_enough_proofs_nothing_is_signed(case: str, imported: Workbench) -> None:
    prepare, why = REFUSED[case]
    prepare(imported)
    before = events(imported)
    with pytest.raises(CustodyError) as refused:
        sign_unwaived(imported)
    assert refused.value.exit_code == 3
    assert refused.value.code == "POL-7/refused"
    assert why in refused.value.summary
    assert events(imported) == before
    assert imported.releases.staged(RELEASE) == {}
    (line,) = custody_lines(imported)
    assert (line.mark, why in line.text) == (Mark.FAIL, True)


def test_a_proof_that_is_too_old_no_longer_counts(tmp_path: Path) -> None:
    vault = keyed_vault(tmp_path / "vault")
    with opened(vault, clock=ShiftedClock(-timedelta(days=1))) as bench:
        two_proved(bench)
    with opened(vault, clock=ShiftedClock(timedelta(days=178))) as bench:
        run(bench, "release.import", directory=str(downloads()))
        prove(bench, "Bob", TWO)
        (line, due) = custody_lines(bench)
        assert line.mark is Mark.WARN
        assert line.text.startswith("2 of 2 proved, oldest proof 179 days ago, again due since")
        assert due.text.startswith("pai-signer backup verify")
    with opened(vault, clock=ShiftedClock(timedelta(days=179))) as bench:
        with pytest.raises(CustodyError, match="older than 180 days"):
            sign_unwaived(bench)
        assert "release.signing" not in events(bench)
        prove(bench, "Anna", ONE)
        (line,) = custody_lines(bench)
        assert line.mark is Mark.OK


def test_the_waiver_is_typed_and_stands_on_the_receipt(imported: Workbench) -> None:
    one_medium(imported)
    sign(imported, **{"waive.POL-7": "Bob's own stick is on its way"})
    receipt = parse_receipt(imported.releases.staged(RELEASE)["receipt.json"])
    (check,) = [check for check in receipt.checks if check.id == "POL-7"]
    assert (check.result.value, check.reason) == ("waived", "Bob's own stick is on its way")
    assert "on 1 medium of 2 wanted" in check.text
    assert "Bob's own stick" in imported.releases.staged(RELEASE)["receipt.txt"].decode()


def test_a_journal_whose_custody_makes_no_sense_is_said_and_nothing_signed(
    imported: Workbench,
) -> None:
    imported.journal.append("backup.proved", {"custodian": "Anna"})
    with pytest.raises(JournalTampered, match=r"backup\.proved"):
        sign_unwaived(imported)
    assert imported.releases.staged(RELEASE) == {}


# --- Home, the checks and the calendar ---------------------------------------------------------


def custody_lines(bench: Workbench) -> list[Line]:
    """The line of Home and what is due of it; the checks say the same."""
    home = [x for x in home_page(bench).lines if x.label == "custody" or "backup v" in x.text]
    checks = [x for page in check_pages(bench) for x in page.lines]
    assert [x for x in checks if x.label == "custody" or "backup v" in x.text] == home
    return home


def test_without_a_key_there_is_nothing_to_prove(empty: Workbench) -> None:
    (line,) = custody_lines(empty)
    assert line.mark is Mark.WARN


def test_home_says_how_well_the_backups_are_proved(keyed: Workbench) -> None:
    (line,) = custody_lines(keyed)
    assert (line.mark, "no backup is known" in line.text) == (Mark.FAIL, True)
    two_proved(keyed)
    (line,) = custody_lines(keyed)
    assert line.mark is Mark.OK
    assert line.text.startswith("2 of 2 proved, oldest proof today, again by ")


def test_a_key_that_is_shown_says_how_well_it_is_proved(keyed: Workbench) -> None:
    key = keyed.registry().signing_key(Algorithm.MINISIGN)
    assert key is not None

    def custody() -> Line:
        (page,) = run(keyed, "key.show", id=key.id).pages
        (line,) = [line for line in page.lines if line.label == "custody"]
        return line

    assert (custody().mark, custody().text) == (
        Mark.FAIL,
        "0 of 2 custodians proved; no backup is known",
    )
    two_proved(keyed)
    assert (custody().mark, custody().text) == (Mark.OK, "2 of 2 custodians proved on 2 media")
    for shown in keyed.registry().keys:  # what follows is no part of the custody
        (page,) = run(keyed, "key.show", id=shown.id).pages
        at = [line.label for line in page.lines].index("public key")
        assert "\n".join(line.text for line in page.lines[at:]) == shown.public_key.rstrip("\n")
        assert {line.label for line in page.lines[at + 1 :]} <= {""}


def calendar(bench: Workbench) -> str:
    release = bench.history().find(RELEASE)
    assert release is not None
    return export_files(bench, release)["reminders.ics"].decode().replace("\r\n ", "")


def test_the_calendar_of_a_release_says_by_when_to_prove_again(imported: Workbench) -> None:
    two_proved(imported)
    sign_unwaived(imported)
    text = calendar(imported)
    assert text.count("BEGIN:VEVENT") == 3
    assert "UID:prove-backups@pai.pai-signer.invalid" in text
    serial = imported.registry().serial
    entry = [e.n for e in imported.journal.entries() if e.event == "backup.proved"][-1]
    assert f"SEQUENCE:{serial + entry}\r\n" in text


def test_a_later_proof_does_not_make_an_export_conflict_with_itself(tmp_path: Path) -> None:
    with opened(signed_vault(tmp_path / "vault")) as bench:
        before = calendar(bench)
    with opened(tmp_path / "vault", clock=ShiftedClock(timedelta(days=3))) as bench:
        two_proved(bench)
        assert calendar(bench) == before
