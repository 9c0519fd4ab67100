"""Sticks that refuse, lie or fail are found out, whatever the filesystem (EXP-2, CUS-1).

Sources: linux, Documentation/admin-guide/device-mapper/dm-flakey.rst and dm-zero.rst.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.vm import machine
from tests.vm.bench import Bench
from tests.vm.jobs import BACKUP, EXPORT, Job
from tests.vm.kernel import MOUNT_POINT
from tests.vm.sticks import EXT4, Filesystem

#: From the moment on at which it turns bad, a stick of device-mapper's; what has to be said.
_FLAKEY: Final = "0 $SECTORS flakey $STICK 0 0 1 1 {}\n"
BAD: Final = {
    "drops what is written": (_FLAKEY.format("drop_writes"), "EXP-2/read-back"),
    "fails to write": (_FLAKEY.format("error_writes"), "EXP-2/gone"),
    # The most sold lie: more sectors than flash. What the lower half can hold is stored.
    "has half its size": (
        "0 $HALF linear $STICK 0\n$HALF $((SECTORS - HALF)) zero\n",
        "EXP-2/read-back",
    ),
}
#: Shell: more than half is full. FAT32 and exFAT put what comes next behind it.
_FILL_FROM_BELOW: Final = "dd if=/dev/zero of=filler bs=1M count=40 status=none; sync; cd /\n"
#: Shell, for ext4, which puts files anywhere: fill all of it, then remove each file that lies
#: wholly in the upper half (in sectors), so that nothing is free in the lower.
_FILL_LOWER_HALF: Final = """n=0
while dd if=/dev/zero of=filler$n bs=1M count=1 status=none 2>/dev/null; do n=$((n + 1)); done
sync
for file in filler*; do
    filefrag -v -b512 $file |
        awk -F '[:.]+' -v half=$HALF '/^ *[0-9]+:/ && $4 + 0 < half {n++} END {exit !n}' ||
        rm $file
done
sync; cd /
"""


def turning_bad(filesystem: Filesystem, table: str) -> str:
    """Shell: a stick that was good when it was mounted, half full, and now is not."""
    mount = filesystem.mount("/dev/dm-0")
    fill = _FILL_LOWER_HALF if filesystem is EXT4 else _FILL_FROM_BELOW
    return f"""
        SECTORS=$(blockdev --getsz $STICK); HALF=$((SECTORS / 2))
        echo "0 $SECTORS linear $STICK 0" | dmsetup create liar --noudevsync --noudevrules
        {mount}cd {MOUNT_POINT}; {fill}        printf '%s' "{table}" | dmsetup load liar
        dmsetup resume liar --noudevsync --noudevrules
    """


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("task", [EXPORT, BACKUP], ids=str)
def test_a_stick_that_lies_or_fails_is_found_out(bench: Bench, task: Job, kind: str) -> None:
    table, code = BAD[kind]
    with bench.stick() as guest:
        guest.shell(task.fresh_vault + turning_bad(bench.filesystem, table))
        told = guest.run(task.command)
    assert told.code == 5, told.said
    assert code in told.said
    assert "safe to remove" not in told.said
    assert "Traceback" not in told.said


def test_a_write_protected_stick_is_told_and_stays_as_it_is(
    filesystem: Filesystem, job: Path, tmp_path: Path
) -> None:
    stick = filesystem.new_stick(tmp_path / "stick")
    before = stick.read_bytes()
    with machine.boot(stick, job, read_only=True) as guest:
        guest.plug()
        for task in (EXPORT, BACKUP):
            guest.shell(task.fresh_vault + filesystem.mount(options="ro"))
            told = guest.run(task.command)
            assert told.code == 5, told.said
            assert "EXP-2/read-only" in told.said
            assert "WRITTEN" not in told.said
            guest.shell(f"umount {MOUNT_POINT}")
    assert stick.read_bytes() == before
