"""Import, sign, export by the command line on real media: whole, full, read-only, pulled out."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests import workstation
from tests.faults.harness import TEMPORARY, contents
from tests.faults.release_jobs import check_as_downloaded, whole_export
from tests.faults.strace import STEADY, record
from tests.media import loop
from tests.media.marks import needs_loop
from tests.weak_signer import LOOP_MEDIA
from tests.workstation import FOLDER, Workstation

pytestmark = needs_loop

AS_REMOVABLE: Final = {LOOP_MEDIA: "1"}
SAFE: Final = "safe to remove"
#: How long a delayed call waits: time enough to pull the medium out meanwhile.
DELAY_S: Final = 5


@pytest.fixture
def filled(stick: loop.LoopMedium) -> loop.LoopMedium:
    workstation.fill_downloads(stick.mount_point)
    stick.remount()
    return stick


def ends(command: Sequence[str], code: int, says: str) -> str:
    """Run it to this exit code; it says what happened in all parts that an error has."""
    done = workstation.run(command, environment=AS_REMOVABLE)
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    assert says in shown, shown
    if code:
        for part in ("What happened", "Unchanged", "What to do next"):
            assert part in done.stderr
        assert SAFE not in shown
    return shown


def final_names(stick: loop.LoopMedium) -> dict[str, bytes]:
    """What stands under a final name, without what ext4 keeps for itself."""
    top = f"{stick.mount_point}/"
    return {
        path.removeprefix(top): data
        for path, data in contents(stick.mount_point).items()
        if TEMPORARY not in path
    }


def count_finished(stick: loop.LoopMedium) -> int:
    """How many files stand under a final name, while others still come and go."""
    found = stick.mount_point.rglob("*")
    return sum(TEMPORARY not in path.name and path.is_file() for path in found)


def evidence(here: Workstation) -> dict[str, bytes]:
    return contents(here.vault / "releases") | {
        "journal": (here.vault / "journal.jsonl").read_bytes()
    }


def test_the_whole_job_from_one_medium_to_another(filled: loop.LoopMedium, tmp_path: Path) -> None:
    here = workstation.workstation("keyed", tmp_path)
    ends(here.import_from(filled.mount_point), 0, "Imported")
    ends(here.sign(), 0, "Receipt")
    with loop.medium(filled.filesystem) as other:
        ends(here.export(other.mount_point), 0, SAFE)
        assert not os.path.ismount(other.mount_point)
        other._mount("rw")
        exported = tmp_path / "exported"
        exported.mkdir()
        for name, data in final_names(other).items():
            path = exported / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        check_as_downloaded(exported / FOLDER)
    workstation.run(here.verify_journal()).check_returncode()


def test_a_medium_in_use_is_written_but_not_called_safe(
    stick: loop.LoopMedium, tmp_path: Path
) -> None:
    here = workstation.workstation("signed", tmp_path)
    descriptor = os.open(stick.mount_point, os.O_RDONLY)
    try:
        ends(here.export(stick.mount_point), 5, "EXP-2/still-mounted")
    finally:
        os.close(descriptor)
    assert os.path.ismount(stick.mount_point)
    assert final_names(stick) == whole_export()
    ends(here.export(stick.mount_point), 0, SAFE)
    assert not os.path.ismount(stick.mount_point)


def test_a_full_medium_is_told_and_gets_nothing(stick: loop.LoopMedium, tmp_path: Path) -> None:
    here = workstation.workstation("signed", tmp_path)
    free = os.statvfs(stick.mount_point)
    with (stick.mount_point / "fill").open("wb") as file:
        file.write(bytes(free.f_bavail * free.f_frsize - 2048))
    before, state = final_names(stick), evidence(here)
    ends(here.export(stick.mount_point), 5, "EXP-2/full")
    assert final_names(stick) == before
    assert evidence(here) == state


def test_a_read_only_medium_can_be_read_and_is_told_when_it_should_be_written(
    filled: loop.LoopMedium, tmp_path: Path
) -> None:
    filled.make_read_only()
    here = workstation.workstation("keyed", tmp_path)
    ends(here.import_from(filled.mount_point), 0, "Imported")
    ends(here.sign(), 0, "Receipt")
    before, state = final_names(filled), evidence(here)
    ends(here.export(filled.mount_point), 5, "EXP-2/read-only")
    assert final_names(filled) == before
    assert evidence(here) == state


def test_a_medium_pulled_out_before_is_gone_and_not_empty(
    filled: loop.LoopMedium, tmp_path: Path
) -> None:
    importing = workstation.workstation("keyed", tmp_path / "a")
    exporting = workstation.workstation("signed", tmp_path / "b")
    before = evidence(importing), evidence(exporting)
    filled.unplug()
    ends(importing.import_from(filled.mount_point), 5, "/gone")
    ends(exporting.export(filled.mount_point), 5, "EXP-2/gone")
    assert (evidence(importing), evidence(exporting)) == before


def wait_until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.05)


def held_at(call: str, nth: int, command: Sequence[str]) -> list[str]:
    """The command, waiting ``DELAY_S`` before the n-th call of its main thread."""
    inject = f"inject={call}:delay_enter={DELAY_S}s:when={nth}"
    tracing = ("strace", "-qqq", "-e", "signal=none", "-o", "/dev/null")
    return [*tracing, "-e", f"trace={call}", "-e", inject, *command]


def test_a_medium_pulled_out_while_it_is_written_is_gone(
    stick: loop.LoopMedium, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    rehearsed = workstation.workstation("signed", tmp_path / "rehearsed")
    calls = record(rehearsed.export(out), out)
    temporaries = [c for c in calls if c.name == "write" and TEMPORARY in c.text]
    here = workstation.workstation("signed", tmp_path / "a")
    state = evidence(here)
    command = held_at("write", temporaries[5].nth, here.export(stick.mount_point))
    with workstation.started(command, environment={**AS_REMOVABLE, **STEADY}) as process:
        wait_until(lambda: count_finished(stick) == 5)
        written = final_names(stick)
        stick.unplug()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 5, stdout + stderr
    assert "EXP-2/gone" in stderr
    assert SAFE not in stdout + stderr
    assert written.items() <= whole_export().items()
    assert evidence(here) == state
    workstation.run(here.verify_journal()).check_returncode()


def test_a_medium_pulled_out_while_it_is_read_is_gone(
    filled: loop.LoopMedium, tmp_path: Path
) -> None:
    here = workstation.workstation("keyed", tmp_path)
    state = evidence(here)
    command = held_at("readv", 2, here.import_from(filled.mount_point))
    with workstation.started(command, environment={**AS_REMOVABLE, **STEADY}) as process:
        wait_until(lambda: any(".iso" in name for name in open_files(process.pid)))
        filled.unplug()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 5, stdout + stderr
    assert "/gone" in stderr
    assert evidence(here) == state
    assert not (here.vault / "releases" / workstation.VERSION).exists()


def open_files(tracer: int) -> list[str]:
    """Names of what the traced program holds open (proc(5))."""
    names = []
    for child in Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split():
        for link in Path(f"/proc/{child}/fd").iterdir():
            try:
                names.append(str(link.readlink()))
            except FileNotFoundError:
                continue
    return names
