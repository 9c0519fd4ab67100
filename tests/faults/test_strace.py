"""A fault that never came shows nothing about the program, and is told from one that came."""

import pytest

from tests.faults.strace import KILLED, Call, strike

READ = ("cat", "/etc/hostname")


def test_an_error_that_came_is_known() -> None:
    done = strike(READ, Call("openat", 1, ""), "error=EIO", "from then on")
    assert (done.returncode, done.landed) == (127, True)  # not even libc was found


def test_an_error_that_came_and_did_not_matter_is_known() -> None:
    done = strike(READ, Call("openat", 1, ""), "error=EIO")  # ld.so(8) does without its cache
    assert (done.returncode, done.landed) == (0, True)


def test_a_kill_that_came_is_known() -> None:
    done = strike(READ, Call("openat", 1, ""), "signal=KILL")
    assert (done.returncode, done.landed) == (KILLED, True)


@pytest.mark.parametrize("fault", ["error=EIO", "signal=KILL"])
def test_a_fault_of_a_call_that_is_never_made_has_not_landed(fault: str) -> None:
    done = strike(READ, Call("openat", 10_000, ""), fault)
    assert (done.returncode, done.landed) == (0, False)
    assert done.stdout
