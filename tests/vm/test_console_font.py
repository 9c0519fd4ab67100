"""A real Linux console says what its font has, before and after another map (EXP-4).

Run by ``make vm-test``.
"""

from pathlib import Path

import pytest

from tests.vm import machine

pytestmark = pytest.mark.skipif(
    bool(machine.why_no_machine()), reason=machine.why_no_machine() or "works here"
)

#: With a map of one pair, for the full block, loaded as setfont(8) does it (``PIO_UNIMAP``).
SCRIPT = """
import ctypes, fcntl, os
from pai_signer.adapters.console_font import _Map, _Pair, console_has
console = os.open("/dev/tty1", os.O_RDWR | os.O_NOCTTY)
print("FONT", console_has(console, "▀▄█"), console_has(console, "☃"))
pairs = (_Pair * 1)(_Pair(0x2588, 219))
fcntl.ioctl(console, 0x4B68, bytes(6))
fcntl.ioctl(console, 0x4B67, _Map(1, pairs))
print("FONT", console_has(console, "▀▄█"), console_has(console, "█"))
"""


def test_a_real_console_says_what_its_font_has(tmp_path: Path) -> None:
    job = tmp_path / "job"
    job.mkdir()
    (job / "ask.py").write_text(SCRIPT)
    ask = machine.python("-c", f"exec(open('{machine.JOB}/ask.py', encoding='utf-8').read())")
    stick = machine.new_stick(tmp_path / "stick.img")
    with machine.boot(ask, stick, job, devices=("VGA",)) as guest:
        # The kernel's built-in font is that of code page 437.
        assert guest.wait_for("FONT").split() == ["FONT", "True", "False"]
        assert guest.wait_for("FONT").split() == ["FONT", "False", "True"]
        assert guest.exit_code() == 0
