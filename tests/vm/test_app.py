"""The app in the virtual machine: its stick is pulled out, it says so, and goes on (EXP-2)."""

import shlex

import pytest

from tests.vm import machine
from tests.vm.bench import Bench
from tests.vm.jobs import EXPORT, VAULT


@pytest.mark.parametrize("moment", [40, 150])
def test_the_app_tells_that_its_stick_was_pulled_and_exports_to_the_next(
    bench: Bench, moment: int
) -> None:
    with bench.stick() as guest:
        guest.shell(bench.mounted(EXPORT))
        words = (str(moment), str(VAULT), bench.filesystem.mount())
        guest.start(shlex.join((machine.PYTHON, "-m", "tests.vm.app", *words)))
        guest.wait_for("HOLDING")
        guest.pull()
        guest.wait_for("APP SAYS IT IS GONE")
        guest.plug()
        ended = guest.ended()
    assert ended.code == 0, ended.said
