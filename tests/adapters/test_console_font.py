"""Half blocks are drawn on a console only where the kernel says that its font has them (EXP-4)."""

import errno
import fcntl
import os
import pty

import pytest

from pai_signer.adapters import console_font
from pai_signer.adapters.console_font import console_has

#: What the map of Debian's Lat15 fonts has of our blocks, and of its Vietnamese ones.
LAT15, VIETNAMESE = "█■", "█■▀▄"


def console_with(monkeypatch: pytest.MonkeyPatch, font: str) -> None:
    """The kernel answers with this font's map, as ``con_get_unimap`` of vt.c writes it."""

    def ioctl(descriptor: int, request: int, asked: console_font._Map) -> int:
        assert request == 0x4B66
        if asked.entry_ct < len(font):
            raise OSError(errno.ENOMEM, "")
        for index, char in enumerate(font):
            asked.entries[index].unicode, asked.entries[index].fontpos = ord(char), index
        asked.entry_ct = len(font)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)


@pytest.mark.parametrize(("font", "has"), [(LAT15, False), (VIETNAMESE, True), ("", False)])
def test_the_kernels_map_decides(monkeypatch: pytest.MonkeyPatch, font: str, has: bool) -> None:
    console_with(monkeypatch, font)
    assert console_has(1, "▀▄█") is has


def test_other_terminals_say_nothing_of_their_font() -> None:
    master, slave = pty.openpty()
    try:
        assert not console_has(slave, "█")
    finally:
        os.close(master)
        os.close(slave)
    assert not console_has(slave, "█")
