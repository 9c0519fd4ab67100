"""The power goes while a stick is written: nothing that was said to be written is lost (EXP-2).

    PAI_POWER_CUTS=30   points of an export and a backup, for each filesystem; each is tried
                        with three sticks: one that kept all it was sent, one that lost all
                        since the last flush, and one that lost some of it
    PAI_KILLS=2         power cuts for each filesystem by SIGKILL to the whole machine

One boot writes the log that the points are taken from: see ``write_log`` for why that is the
same as a power cut, and the SIGKILLs for the proof. Every stick is read as it is, and again
after the stock repair. FAT32 and exFAT have no journal: their dirty flag stays, and the file
that was being written may leave its traces, which the repair removes.

A cut between two sectors can leave half of the entry of a new file, which nobody was told is
written. exfat-fuse then lists nothing of that folder until it is repaired. Where the reader on
the host misses a file, the guest's kernel reads the same stick, unrepaired: it has to find it.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.vm import jobs, machine, write_log
from tests.vm.bench import Bench
from tests.vm.jobs import BACKUP, EXPORT, VERIFY, spread, wanted
from tests.vm.sticks import Filesystem
from tests.vm.write_log import Kept, Write

POWER_CUTS: Final = wanted("PAI_POWER_CUTS", 30)
KILLS: Final = wanted("PAI_KILLS", 2)


@dataclass(frozen=True)
class Recorded:
    """One export and one backup on one stick, each write of them, and what was promised."""

    filesystem: Filesystem
    before: bytes
    after: Path
    writes: tuple[Write, ...]
    promised: list[tuple[str, str]]
    moments: int


@pytest.fixture(scope="module")
def recorded(
    filesystem: Filesystem, job: Path, tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    """The run that every cut is taken from, to its end; the backup is proved again read-only."""
    folder = tmp_path_factory.mktemp(filesystem.name)
    stick, log = filesystem.new_stick(folder / "stick"), folder / "log"
    before = stick.read_bytes()
    said, moments = "", 0
    with machine.boot(stick, job, log=log) as guest:
        guest.plug()
        for task in (EXPORT, BACKUP):
            guest.shell(task.fresh_vault + filesystem.mount())
            done = guest.run(task.command, marks=True)
            assert done.code == 0, done.said
            assert "safe to remove" in done.said
            said, moments = said + done.said, moments or done.moments
        guest.shell(filesystem.mount(options="ro"))
        proved = guest.run(VERIFY.command)
        assert proved.code == 0, proved.said
    return Recorded(filesystem, before, stick, write_log.read_log(log), jobs.written(said), moments)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file under a final name."""
    return {
        path: hashlib.sha256(data).hexdigest()
        for path, data in files.items()
        if ".pai-signer-" not in path
    }


def test_what_was_said_to_be_safe_to_remove_is_whole_and_clean(recorded: Recorded) -> None:
    assert digests(recorded.filesystem.files(recorded.after)) == dict(recorded.promised)
    assert recorded.filesystem.is_clean(recorded.after)
    copies = [
        {path.partition("/")[2]: digest for path, digest in recorded.promised if f"-{c}/" in path}
        for c in "abc"
    ]
    assert copies[0] == copies[1] == copies[2] != {}


@pytest.mark.parametrize("kept", Kept)
def test_no_file_that_was_said_to_be_written_is_lost_by_a_power_cut(
    recorded: Recorded, bench: Bench, kept: Kept, tmp_path: Path
) -> None:
    filesystem, whole = recorded.filesystem, dict(recorded.promised)
    image, began = tmp_path / "cut", time.monotonic()
    files = lost = missed = unread = unfinished = clean = 0
    points = spread(POWER_CUTS, len(recorded.writes))
    for point in points:
        writes = recorded.writes[:point]
        said = recorded.promised[: write_log.acknowledged(writes, len(recorded.before))]
        cut = write_log.after_cut(recorded.before, writes, kept)
        image.write_bytes(cut)
        clean += filesystem.is_clean(image)
        found = digests(filesystem.files(image))
        filesystem.mend(image)
        mended = digests(filesystem.files(image))
        files += len(said)
        lost += sum(mended.get(path) != digest for path, digest in said)
        if not_found := sum(found.get(path) != digest for path, digest in said):
            missed += not_found
            by_kernel = bench.digests(bytes(cut))
            unread += sum(by_kernel.get(path) != digest for path, digest in said)
        unfinished += sum(whole.get(path) != digest for path, digest in found.items())
    print(
        f"{filesystem}, sticks that kept {kept.value} since the last flush: {len(points)} power "
        f"cuts, {files} acknowledged files, {lost} lost; before fsck {missed} missed by the "
        f"host's reader, {unread} of these cuts' files unread by the kernel; {unfinished} others "
        f"unfinished under their final names, {clean} sticks without a remark, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert files > len(points)
    assert lost == 0
    assert unread == 0


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_machine_leaves_just_what_the_log_says(
    recorded: Recorded, job: Path, kill: int, tmp_path: Path
) -> None:
    filesystem, stick, log = recorded.filesystem, tmp_path / "stick", tmp_path / "log"
    stick.write_bytes(recorded.before)
    with machine.boot(stick, job, log=log) as guest:
        guest.plug()
        guest.shell(EXPORT.fresh_vault + filesystem.mount())
        hold_at = spread(KILLS + 2, recorded.moments)[kill + 1]
        guest.start(EXPORT.command, hold_at=hold_at, marks=True)
        guest.wait_for("HOLDING")
        guest.cut_power()
    writes = write_log.read_log(log)
    assert stick.read_bytes() == write_log.after_cut(recorded.before, writes, Kept.ALL)
    said = jobs.written("\n".join(guest.lines))
    assert len(said) == write_log.acknowledged(writes, len(recorded.before)) > 0
    found = digests(filesystem.files(stick))
    assert dict(said).items() <= found.items()


def test_the_next_export_after_a_power_cut_completes_the_folder(
    recorded: Recorded, job: Path, tmp_path: Path
) -> None:
    filesystem, stick = recorded.filesystem, tmp_path / "stick"
    exported = {path: digest for path, digest in recorded.promised if path.startswith("pai-v")}
    stick.write_bytes(middle_of_a_file(recorded, tmp_path / "tried"))
    with machine.boot(stick, job) as guest:
        guest.plug()
        guest.shell(EXPORT.fresh_vault + filesystem.mount())
        done = guest.run(EXPORT.command)
        assert done.code == 0, done.said
    found = filesystem.files(stick)
    assert digests(found) == exported
    assert len(found) == len(exported)


def middle_of_a_file(recorded: Recorded, image: Path) -> bytearray:
    """The stick of a cut while the tenth file was written: one that hides others, if any does."""
    cut = bytearray()
    for point in range(len(recorded.writes)):
        said = write_log.acknowledged(recorded.writes[:point], len(recorded.before))
        if said == 9:
            cut = write_log.after_cut(recorded.before, recorded.writes[:point], Kept.ALL)
            image.write_bytes(cut)
            if len(digests(recorded.filesystem.files(image))) < said:
                break
    return cut
