"""The return leg: what is live is what was signed, or the difference is told (EXP-5)."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pai_signer.adapters.journal_file import FileJournal
from pai_signer.domain.confirmation import LIVE_SUMS, LIVE_TAG
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.errors import CannotTell, DigestMismatch, FormatError, SignerError, UsageError
from pai_signer.faces.workstation import WorkstationDesk
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.overview import home_page
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, brought_back, events, run
from tests.workflows.signing import split

ISO = "pai-0.2.0-amd64.iso"


@pytest.fixture
def live(folder: Path) -> Path:
    """What ``upload.sh`` wrote, on a stick beside the exported folder."""
    return brought_back(folder, folder.with_name("stick"))


def confirm(bench: Workbench, directory: Path) -> Outcome:
    return run(bench, "release.confirm", version=RELEASE, directory=str(directory))


def last_release(bench: Workbench) -> Line:
    return next(line for line in home_page(bench).lines if line.label == "last release")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_lists_alone_confirm_it_and_home_shows_it(signed: Workbench, live: Path) -> None:
    """The medium is given; the folder that ``upload.sh`` wrote is found on it."""
    assert "exported, unconfirmed" in last_release(signed).text
    assert last_release(signed).mark is Mark.WARN
    outcome = confirm(signed, live.parent)
    assert outcome.data["verdict"] == "same"
    assert {each["verdict"] for each in outcome.data["compared"]} == {"same"}
    assert {each["how"] for each in outcome.data["compared"]} == {"listed"}
    entry = signed.journal.entries()[-1]
    assert (entry.event, entry.facts["version"]) == ("release.confirmed", RELEASE)
    assert len(entry.facts["compared"]) == len(live.joinpath(LIVE_SUMS).read_text().split("\n"))
    assert "signed, confirmed 20" in last_release(signed).text
    assert last_release(signed).mark is Mark.OK
    assert run(signed, "release.list").data["releases"][0]["confirmed"] is True
    assert run(signed, "release.show", version=RELEASE).data["confirmed_at"] == entry.at


def test_downloaded_files_are_read_and_need_no_list(
    signed: Workbench, live: Path, folder: Path
) -> None:
    """All of what a user has: the companions of the export are ours as well."""
    shutil.copy(live / LIVE_TAG, folder)
    outcome = confirm(signed, folder)
    assert outcome.data["verdict"] == "same"
    how = {each["name"]: each["how"] for each in outcome.data["compared"]}
    assert how.pop(f"tag {RELEASE}") == "listed"
    assert set(how.values()) == {"read"}
    assert {ISO, "SHA256SUMS", "UPLOAD.md"} < set(how)


def _other_bytes(live: Path) -> None:
    shutil.copy(live.parent / f"pai-{RELEASE}" / ISO, live)
    data = bytearray((live / ISO).read_bytes())
    data[-1] ^= 1
    (live / ISO).write_bytes(data)


def _other_line(live: Path) -> None:
    text = (live / LIVE_SUMS).read_text()
    line = next(line for line in text.splitlines() if line.endswith("SHA256SUMS.asc"))
    change(live / LIVE_SUMS, line, "0" * 64 + line[64:])


def _one_less(live: Path) -> None:
    text = (live / LIVE_SUMS).read_text()
    line = next(line for line in text.splitlines() if line.endswith(ISO))
    change(live / LIVE_SUMS, f"{line}\n", "")


def _one_more(live: Path) -> None:
    with (live / LIVE_SUMS).open("a") as sums:
        sums.write("0" * 64 + "  pai-0.2.0-setup.exe\n")


def _other_tag(live: Path) -> None:
    text = (live / LIVE_TAG).read_text()
    change(live / LIVE_TAG, text[:40], "0" * 40)


@pytest.mark.parametrize(
    ("spoil", "name", "verdict"),
    [
        (_other_bytes, ISO, "different"),
        (_other_line, "SHA256SUMS.asc", "different"),
        (_one_less, ISO, "missing"),
        (_one_more, "pai-0.2.0-setup.exe", "unsigned"),
        (_other_tag, f"tag {RELEASE}", "different"),
        (lambda live: (live / LIVE_TAG).write_text(""), f"tag {RELEASE}", "missing"),
    ],
)
def test_a_difference_is_listed_recorded_and_refused(
    signed: Workbench, live: Path, spoil: Callable[[Path], None], name: str, verdict: str
) -> None:
    spoil(live)
    with pytest.raises(DigestMismatch, match="EXP-5/differs"):
        confirm(signed, live.parent)
    entry = signed.journal.entries()[-1]
    assert entry.event == "release.differs"
    assert [(c["name"], c["verdict"]) for c in entry.facts["compared"]] == [(name, verdict)]
    assert "LIVE DIFFERS" in last_release(signed).text
    alarm = [line for line in home_page(signed).lines if line.mark is Mark.FAIL]
    assert any("NOT what was signed" in line.text for line in alarm)


def test_a_difference_that_was_mended_can_be_confirmed(signed: Workbench, live: Path) -> None:
    whole = (live / LIVE_SUMS).read_text()
    _one_less(live)
    with pytest.raises(DigestMismatch):
        confirm(signed, live)
    (live / LIVE_SUMS).write_text(whole)
    assert confirm(signed, live).data["verdict"] == "same"
    assert not any("NOT what was signed" in line.text for line in home_page(signed).lines)
    _one_less(live)
    with pytest.raises(DigestMismatch):  # later, somebody took it away again
        confirm(signed, live)
    assert "LIVE DIFFERS" in last_release(signed).text


@pytest.mark.parametrize("missing", [LIVE_TAG, LIVE_SUMS, "a link"])
def test_what_was_not_brought_is_not_known_and_not_recorded(
    signed: Workbench, live: Path, missing: str
) -> None:
    if missing == "a link":
        (live / ISO).symlink_to(live.parent / f"pai-{RELEASE}" / ISO)
    else:
        (live / missing).unlink()
        shutil.copy(live.parent / f"pai-{RELEASE}" / "SHA256SUMS", live)
    before = events(signed)
    with pytest.raises(CannotTell, match="EXP-5/not-whole"):
        confirm(signed, live)
    assert events(signed) == before
    assert "unconfirmed" in last_release(signed).text


def test_nothing_brought_is_no_confirmation(signed: Workbench, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(CannotTell, match="EXP-5/nothing-brought"):
        confirm(signed, tmp_path / "bare")


def test_a_list_with_a_strange_name_is_refused(signed: Workbench, live: Path) -> None:
    with (live / LIVE_SUMS).open("a") as sums:
        sums.write("0" * 64 + "  ../pai.iso\n")
    before = events(signed)
    with pytest.raises(FormatError, match="EXP-5/list"):
        confirm(signed, live)
    assert events(signed) == before


def test_a_journal_that_cannot_be_written_is_no_confirmation(
    signed: Workbench, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise CannotTell("JRN-1/full", "The disk is full.", "Make room.")

    with monkeypatch.context() as patch:
        patch.setattr(FileJournal, "append", full)
        with pytest.raises(CannotTell) as error:
            confirm(signed, live)
    assert error.value.unchanged == "What was found is not recorded. Confirm again to record it."
    assert "unconfirmed" in last_release(signed).text
    assert confirm(signed, live).data["verdict"] == "same"


def test_a_run_that_was_killed_reads_the_medium_again(signed: Workbench, live: Path) -> None:
    """What the first sitting read stands in no later outcome."""
    arguments = {"version": RELEASE, "directory": str(live)}
    first = catalogue.begin(signed, "release.confirm", arguments)
    first.answer("", Progress())
    assert first.step is not None
    assert first.step.id == "unmount"
    _one_less(live)
    with pytest.raises(DigestMismatch):
        confirm(signed, live)
    assert events(signed)[-2:] == ["release.confirmed", "release.differs"]


def test_a_tag_alone_is_no_release_to_confirm(keyed: Workbench, tmp_path: Path) -> None:
    tag, _artifacts = split(tmp_path)
    run(keyed, "release.import", directory=str(tag), version=RELEASE)
    with pytest.raises(UsageError, match="EXP-5/nothing-signed"):
        confirm(keyed, tmp_path)


@pytest.mark.parametrize("vault", ["keyed", "signed"])
def test_the_menu_offers_it_once_something_was_exported(
    vault: str, request: pytest.FixtureRequest
) -> None:
    bench: Workbench = request.getfixturevalue(vault)
    actions = WorkstationDesk(bench, ExitStack()).actions()
    (action,) = [action for action in actions if action.id == "release.confirm"]
    assert action.unavailable_because == ("" if vault == "signed" else "nothing was exported yet")
    if vault == "signed":
        conversation = catalogue.begin(bench, action.id, {})
        conversation.answer(RELEASE, Progress())
        with pytest.raises(SignerError):
            conversation.answer("", Progress())
