"""A stick is pulled out while it is read or written: it is told, and the program goes on (EXP-2).

``PAI_PULLS=30`` is the number of pulls over three filesystems and import, export and backup,
at moments spread over each: whenever the program asks the kernel something about the stick.
"""

import re
from typing import Final

import pytest

from tests.vm.bench import Bench
from tests.vm.jobs import BACKUP, EXPORT, IMPORT, Job, spread, wanted
from tests.vm.machine import Ended
from tests.vm.sticks import FILESYSTEMS

JOBS: Final = (IMPORT, EXPORT, BACKUP)
PULLS: Final = wanted("PAI_PULLS", 30)
PULLS_OF_EACH: Final = -(-PULLS // (len(JOBS) * len(FILESYSTEMS)))


@pytest.mark.parametrize("task", JOBS, ids=str)
def test_a_pulled_stick_is_told_and_the_program_goes_on(bench: Bench, task: Job) -> None:
    with bench.stick() as guest:
        guest.shell(bench.mounted(task))
        whole = guest.run(task.command)
        assert whole.code == 0, whole.said
    # Not the last: then an import has read everything.
    for moment in spread(PULLS_OF_EACH + 1, whole.moments)[:-1]:
        with bench.stick() as guest:
            guest.shell(bench.mounted(task))
            guest.start(task.command, hold_at=moment)
            held = guest.wait_for("HOLDING")
            guest.pull()
            told = guest.ended()
        print(f"{bench.filesystem} {task} {moment}/{whole.moments}: {held}: {codes(told)}")
        check_told(told)
        check_goes_on(bench, task, told)


def check_goes_on(bench: Bench, task: Job, told: Ended) -> None:
    """With another stick, and the vault as the pull left it; a proof, with the pulled one alone."""
    pulled = bench.image.read_bytes()
    with bench.stick() as guest:
        guest.shell(bench.filesystem.mount())
        again = guest.run(task.command)
    if "CUS-2/unreadable" in codes(told):
        assert again.code == 5, again.said
        assert "CUS-2/empty" in codes(again), again.said
        with bench.stick(pulled) as guest:
            guest.shell(bench.filesystem.mount())
            again = guest.run(task.command)
    assert again.code == 0, again.said


def codes(told: Ended) -> list[str]:
    return re.findall(r"\b[A-Z]{3}-\d+/[a-z-]+", told.said)


def check_told(told: Ended) -> None:
    """A clear error of the family of media that says it was pulled out, and no promise.

    A backup is proved right after it is written: there it is the proof's own outcome (CUS-2).
    """
    assert told.code == 5, told.said
    assert any(c.endswith("/gone") or c == "CUS-2/unreadable" for c in codes(told)), told.said
    assert "was pulled out" in " ".join(told.said.split()), told.said
    assert "Traceback" not in told.said
    assert "safe to remove" not in told.said
