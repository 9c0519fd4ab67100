"""Every error of a medium, at every kind of call of an export (EXP-2, JRN-1).

Each fault strikes once; where that reaches nothing but files (not the console, not
the program's own modules) also for good from a call on, as a medium fails that
filled up or broke. A sample by default, all with ``PAI_FAULTS=all``.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

import pytest

from tests import workstation
from tests.faults.strace import Call, record, spread, strike
from tests.faults.test_kill import TEMPORARY, contents, ends, whole_export

ALL: Final = os.environ.get("PAI_FAULTS") == "all"
ERRORS: Final = ("ENOSPC", "EIO", "EROFS", "EDQUOT", "EINTR")
CALLS: Final = {
    "openat": ("openat",),
    "write": ("write",),
    "fsync": ("fsync", "syncfs"),
    "rename": ("renameat", "renameat2"),
    "close": ("close",),
}
LASTING: Final = ("fsync", "syncfs", "renameat", "renameat2")
#: Strikes per error and kind of call, in the sweep.
POINTS: Final = 8


def fail_in_export(call: Call, error: str, how_long: str, base: Path) -> str:
    """Let ``call`` fail; returns how the export took it."""
    here = workstation.workstation("signed", base)
    out = base / "out"
    out.mkdir()
    signed = contents(here.vault / "releases")
    done = strike(here.export(out), call, f"error={error}", how_long)
    wanted = {str(out / name): data for name, data in whole_export().items()}
    standing = contents(out)
    shown = done.stdout + done.stderr

    assert contents(here.vault / "releases") == signed
    assert not [name for name in shown.split() if TEMPORARY in name], shown
    ends(here.verify_journal())
    if done.returncode == 0:
        assert standing == wanted, sorted(standing)
        return "done all the same"
    assert done.returncode == 5, (done.returncode, shown)
    assert "Exported" not in shown
    assert "safe to remove" not in shown
    assert "What to do next" in done.stderr
    final = {path: data for path, data in standing.items() if TEMPORARY not in path}
    assert final.items() <= wanted.items()
    # What failed can be tried again, and then it is whole.
    ends(here.export(out))
    assert contents(out) == wanted
    return "said so, nothing there" if not final else "said so, whole files there"


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_medium_is_told_and_never_taken_for_success(
    error: str, tmp_path: Path
) -> None:
    started = monotonic()
    here, out = workstation.workstation("signed", tmp_path), tmp_path / "out"
    out.mkdir()
    # A first run in a new checkout writes byte code: calls that no later run makes.
    with TemporaryDirectory(prefix="pai-warm-") as warm:
        ends(workstation.workstation("signed", Path(warm)).export(Path(warm)))
    calls = record(here.export(out), here.vault, out)
    # EINTR for ever is no state of any medium; Python (PEP 475) just asks again.
    strikes = [
        (call, how_long)
        for names in CALLS.values()
        for call in spread([c for c in calls if c.name in names], POINTS)
        for how_long in ("once", "from then on")
        if how_long == "once" or (call.name in LASTING and error != "EINTR")
    ]
    if not ALL:
        # Another third of the kinds of call for each error, so that each kind has its turn.
        strikes = strikes[ERRORS.index(error) * 3 :: len(strikes) // 3]
    failed: list[str] = []

    def at(point: tuple[Call, str]) -> str:
        call, how_long = point
        with TemporaryDirectory(prefix="pai-error-") as base:
            try:
                return fail_in_export(call, error, how_long, Path(base))
            except Exception as problem:  # noqa: BLE001 - all are tried, then all are told
                failed.append(f"{error} {how_long} at {call}\n    {problem}")
                return "FAILED"

    with ThreadPoolExecutor(2) as pool:
        outcomes = Counter(pool.map(at, strikes))
    figures = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{error} in export: {len(strikes)} points: {figures}; {monotonic() - started:.0f} s")
    assert not failed, "\n".join(failed)
