"""Numbers and sentences that both faces share; errors in their three parts (FACE-4)."""

import pytest

from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import ProgressBar, ProgressSnapshot
from pai_signer.errors import Cancelled, MediumError
from pai_signer.faces import wording
from pai_signer.faces.journal_text import journal_line
from pai_signer.faces.rows import Layout
from pai_signer.workflows.engine import Actor
from tests.custody import MINISIGN_KEY, CustodyJournal, stick


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (8_946_360_320, "8,946,360,320 bytes")],
)
def test_exact_sizes_are_grouped(count: int, text: str) -> None:
    assert wording.bytes_text(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 bytes"), (1000, "1.0 kB"), (31_900_000_000, "31.9 GB"), (2e15, "2000.0 TB")],
)
def test_sizes_at_a_glance_use_powers_of_ten(count: float, text: str) -> None:
    assert wording.size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (0.1, "0:01"), (61, "1:01"), (3723, "1:02:03")]
)
def test_times_left_are_rounded_up(seconds: float, text: str) -> None:
    assert wording.duration_text(seconds) == text


def test_the_title_row_never_loses_rehearsal_or_the_air_gap() -> None:
    right = wording.state_of_play("OFFLINE", "23 Nov 2026 18:41 UTC", is_rehearsal=True)
    row = wording.title_row("x" * 200, right, 78)
    assert len(row) == 78
    assert row.endswith("REHEARSAL · OFFLINE · 23 Nov 2026 18:41 UTC")
    assert "…" in row


@pytest.mark.parametrize(
    ("left", "width", "shown"),
    [
        ("Generate keys · Name the witness 3/20", 40, "Generate keys · Name the witness 3/20  r"),
        ("Generate keys · Name the witness 3/20", 30, "Generate keys · Name … 3/20  r"),
        ("Generate keys · Name the witness 13/20", 12, "Ge… 13/20  r"),
        ("Generate keys · Name the witness 13/20", 10, "… 13/20  r"),
        ("Generate keys · Name the witness 13/20", 9, "Gener…  r"),  # no room for both
        ("Generate keys · Name the witness", 20, "Generate keys · …  r"),
        ("x 3/20", 3, "  r"),
    ],
)
def test_a_long_title_is_cut_before_the_number_of_its_step(
    left: str, width: int, shown: str
) -> None:
    assert wording.title_row(left, "r", width) == shown


def test_an_error_page_answers_the_three_questions_and_gives_the_code() -> None:
    error = MediumError("EXP-2/full", "The medium is full.", "Take another.", unchanged="All of it")
    page = wording.error_page(error)
    assert [(line.label, line.text) for line in page.lines if line.label] == [
        ("What happened", "The medium is full."),
        ("Unchanged", "All of it"),
        ("What to do next", "Take another."),
        ("Code", "EXP-2/full"),
    ]
    cancelled = Cancelled("FACE-3/cancelled", "The operator cancelled.", "Start again.")
    assert wording.error_page(cancelled).title == "Stopped, as you asked"


def test_progress_has_a_bar_per_artifact_and_a_total_with_rate_and_time_left() -> None:
    snapshot = ProgressSnapshot(
        (ProgressBar("a.iso", 1000, 1000), ProgressBar("b.iso", 500_000, 1_000_000)),
        (Line("a.iso: the same", mark=Mark.OK),),
        can_cancel=True,
    )
    rows = [row.text for row in wording.progress_rows(snapshot, 2.0, Layout(60))]
    assert rows == [
        "a.iso  1,000 bytes                                      [OK]",
        "b.iso",
        "████████████░░░░░░░░░░░░  50 %  500,000 of 1,000,000 bytes",
        "",
        "all so far: 501,000 of 1,001,000 bytes, 250.5 kB/s, 0:02",
        "left",
        "",
        "a.iso: the same                                         [OK]",
    ]


def test_progress_of_unknown_size_shows_what_was_done_and_promises_nothing() -> None:
    snapshot = ProgressSnapshot((ProgressBar("x", 10, 0),), (), can_cancel=True)
    rows = [row.text for row in wording.progress_rows(snapshot, 0.1, Layout(60))]
    assert rows == ["x  10 bytes", "", "all so far: 10 of 10 bytes"]


def test_a_few_kilobytes_after_a_minute_of_unlocking_promise_no_time() -> None:
    bar = ProgressBar("write", 1_544, 38_043)
    rows = wording.progress_rows(ProgressSnapshot((bar,), (), can_cancel=True), 118.0, Layout(60))
    assert rows[-1].text == "all so far: 1,544 of 38,043 bytes"


def test_only_others_than_the_maintainer_are_named() -> None:
    assert wording.who_acts(Actor.MAINTAINER) == ""
    assert wording.who_acts(Actor.WITNESS) == "The witness acts now."


def test_a_crash_text_holds_kind_place_and_code() -> None:
    text = wording.crash_text("ValueError", "faces/tui/app.py:7")
    assert "ValueError at faces/tui/app.py:7" in text
    assert "SEC-2/crash" in text
    assert all(len(line) < 80 for line in text.split("\n"))


def test_the_journal_names_custodian_and_key_as_a_person_would() -> None:
    journal = CustodyJournal()
    medium = stick("6E1B-40C2")
    journal.begun(0, "Anna", medium)
    journal.created(0, "Anna", medium)
    journal.proved(1, "Anna", medium, MINISIGN_KEY)
    assert [journal_line(entry).text for entry in journal.entries] == [
        "Anna",
        "Anna",
        f"Anna, minisign {MINISIGN_KEY.id}",
    ]
