"""What is due stands on Home, in the checks, and on the medium that leaves (KEY-6)."""

from datetime import timedelta
from pathlib import Path

import pytest

from pai_signer.domain.page import Line, Mark
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.workflows.overview import check_pages, home_page
from pai_signer.workflows.release.export_release import export_files
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import (
    RELEASE,
    ShiftedClock,
    keyed_vault,
    opened,
    run,
    secrets,
    signed_vault,
)

MINISIGN, OPENPGP = "minisign key", "openpgp key"
#: A day to act that falls into the holidays moves back by so many days at most.
MOVED = 22


def key_lines(bench: Workbench) -> dict[str, Line]:
    return {line.label: line for line in home_page(bench).lines}


def checks(bench: Workbench) -> dict[str, Line]:
    return {line.label: line for page in check_pages(bench) for line in page.lines}


def test_home_and_checks_say_by_when_a_fresh_key_wants_to_be_looked_after(
    keyed: Workbench,
) -> None:
    key = keyed.registry().signing_key(Algorithm.OPENPGP)
    assert key is not None
    assert key.expires_at is not None
    last = (key.expires_at - timedelta(days=1)).date()
    by = f"extend or rotate by {good_expiry_day(last, AvoidedDays())}"
    home = key_lines(keyed)
    assert by in home[OPENPGP].text
    assert home[OPENPGP].mark is Mark.OK
    assert "days left" in home[MINISIGN].text
    assert "due" not in home
    assert by in checks(keyed)[OPENPGP].text
    assert checks(keyed)[MINISIGN].mark is Mark.OK


@pytest.mark.parametrize(
    ("days", "label", "mark", "words"),
    [
        (400 - 62 - MOVED, OPENPGP, Mark.OK, "days left"),
        (400 - 50, OPENPGP, Mark.WARN, "days left"),
        (400 + 1, OPENPGP, Mark.FAIL, "OVERDUE"),
        (730 - 62 - MOVED, MINISIGN, Mark.OK, "days left"),
        (730 - 50, MINISIGN, Mark.WARN, "days left"),
        (730 + 5, MINISIGN, Mark.WARN, "due since"),
        (730 + 91, MINISIGN, Mark.FAIL, "OVERDUE"),
    ],
)
def test_home_and_checks_grow_louder_as_the_day_comes_near(
    tmp_path: Path, days: int, label: str, mark: Mark, words: str
) -> None:
    clock = ShiftedClock(timedelta(days=days))
    with opened(keyed_vault(tmp_path / "vault"), clock=clock) as bench:
        for line in (key_lines(bench)[label], checks(bench)[label]):
            assert line.mark is mark
            assert words in line.text
        command = "key extend" if label == OPENPGP else "key rotate minisign"
        due = [x.text for x in home_page(bench).lines if x.label == "due" and command in x.text]
        assert len(due) == (mark is not Mark.OK)
        assert (command in checks(bench)[label].text) == (mark is not Mark.OK)


def test_an_extension_ends_the_reminding(tmp_path: Path) -> None:
    with opened(keyed_vault(tmp_path / "vault"), clock=ShiftedClock(timedelta(days=350))) as bench:
        assert key_lines(bench)[OPENPGP].mark is Mark.WARN
        run(bench, "key.extend", secrets())
        assert key_lines(bench)[OPENPGP].mark is Mark.OK
        assert "due" not in key_lines(bench)


def test_a_vault_without_keys_is_reminded_of_nothing(empty: Workbench) -> None:
    assert "none yet" in key_lines(empty)[OPENPGP].text
    assert OPENPGP not in checks(empty)


# --- on the medium ------------------------------------------------------------------------------


def calendar(vault: Path, days: int) -> bytes:
    with opened(vault, clock=ShiftedClock(timedelta(days=days))) as bench:
        release = bench.history().find(RELEASE)
        assert release is not None
        return export_files(bench, release)["reminders.ics"]


def test_the_calendar_is_exported_with_one_event_for_each_key(
    signed: Workbench, folder: Path
) -> None:
    text = (folder / "reminders.ics").read_bytes().decode().replace("\r\n ", "")
    assert text.count("BEGIN:VEVENT") == 2
    for key in signed.registry().keys:
        assert f"-{key.id}@pai.pai-signer.invalid\r\n" in text
    assert f"SEQUENCE:{signed.registry().serial}\r\n" in text
    assert f"DTSTAMP:{signed.registry().changed_at:%Y%m%dT%H%M%SZ}\r\n" in text


def test_the_calendar_of_one_registry_is_the_same_on_any_day(tmp_path: Path) -> None:
    vault = signed_vault(tmp_path / "vault")
    assert calendar(vault, 0) == calendar(vault, 100)


def test_an_export_onto_the_same_medium_on_another_day_does_not_conflict(tmp_path: Path) -> None:
    vault = signed_vault(tmp_path / "vault")
    (tmp_path / "stick").mkdir()
    for days in (0, 40):
        with opened(vault, clock=ShiftedClock(timedelta(days=days))) as bench:
            directory = str(tmp_path / "stick")
            outcome = run(bench, "release.export", version=RELEASE, directory=directory)
        assert "reminders.ics" in outcome.data["files"]
