"""Every error of a medium, at every kind of call of a signing and an export (SIG-6, EXP-2, JRN-1).

Each fault strikes once; where that reaches nothing but files (not the console, not
the program's own modules) also for good from a call on, as a medium fails that
filled up or broke. A sample by default, the matrix with ``PAI_FAULTS=all``.
"""

import functools
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.faults.harness import (
    ALL,
    FailingJob,
    calls_of,
    ends,
    failed,
    staged,
    tried_at_each,
)
from tests.faults.release_jobs import Export, Sign
from tests.faults.strace import Call, spread

JOBS: Final[tuple[FailingJob, ...]] = (Sign(), Export())
ERRORS: Final = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EINTR")
#: One error for each job by default, at a call that nothing but a lasting write makes.
SAMPLE: Final = tuple(zip(JOBS, ERRORS, strict=False))
CASES: Final = tuple(itertools.product(JOBS, ERRORS)) if ALL else SAMPLE
CALLS: Final = {
    "open": ("openat",),
    "write": ("write",),
    "fsync": ("fsync", "syncfs"),
    "rename": ("renameat", "renameat2"),
    "close": ("close",),
}
LASTING: Final = ("fsync", "syncfs", "renameat", "renameat2")
#: Strikes per error and kind of call, in the sweep.
POINTS: Final = 8


@functools.cache
def recorded(job: FailingJob) -> list[Call]:
    """What an unharmed run does, of each kind something."""
    # A first run in a new checkout writes byte code: calls that no later run makes.
    with TemporaryDirectory(prefix="pai-warm-") as warm:
        ends(staged(job, Path(warm)).command)
    calls = calls_of(job)
    assert all(len(of_kind(calls, kind)) >= POINTS for kind in CALLS if kind != "rename")
    assert len(of_kind(calls, "rename")) >= POINTS // 2
    return calls


def of_kind(calls: list[Call], kind: str) -> list[Call]:
    """The calls of one row of the matrix."""
    return [call for call in calls if call.name in CALLS[kind]]


def strikes_of(job: FailingJob, error: str) -> list[tuple[Call, str]]:
    """Which call fails, and for how long."""
    calls = recorded(job)
    # EINTR for ever is no state of any medium; Python (PEP 475) just asks again.
    return [
        (call, how_long)
        for kind in CALLS
        for call in spread(of_kind(calls, kind), POINTS)
        for how_long in ("once", "from then on")
        if how_long == "once" or (call.name in LASTING and error != "EINTR")
    ]


@pytest.mark.parametrize(("job", "error"), CASES, ids=str)
def test_an_error_of_the_medium_is_told_and_never_taken_for_success(
    job: FailingJob, error: str
) -> None:
    sample = [(Call(*job.sample[0], "of the sample"), "once")]
    outcomes = tried_at_each(
        f"{error} in {job.name}",
        strikes_of(job, error) if ALL else sample,
        lambda strike, base: failed(job, strike[0], error, strike[1], base),
    )
    # An interrupted call is made again; every other error is met, and told.
    assert error == "EINTR" or any(outcome.startswith("said so") for outcome in outcomes)
