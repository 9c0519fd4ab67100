"""A real Linux console says what its font has, before and after another map (EXP-4).

Run by ``make vm-test``.
"""

from pathlib import Path

from tests.vm import machine
from tests.vm.kernel import JOB

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
    stick = tmp_path / "stick"
    stick.touch()
    with machine.boot(stick, job, devices=("VGA",)) as guest:
        read = f"open('{JOB}/ask.py', encoding='utf-8').read()"
        told = guest.shell(f'{machine.PYTHON} -c "exec({read})"')
    # The kernel's built-in font is that of code page 437.
    assert [line.split()[1:] for line in told.splitlines() if line.startswith("FONT")] == [
        ["True", "False"],
        ["False", "True"],
    ]
