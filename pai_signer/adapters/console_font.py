"""Which characters the font of a Linux console has: the kernel knows (EXP-4, FACE-2)."""

import ctypes
import fcntl
from typing import Final

#: ``GIO_UNIMAP`` of linux/kd.h (ioctl_console(2)): the Unicode map of the console's font.
_GIO_UNIMAP: Final = 0x4B66
#: The most that the kernel's count of pairs can say.
_MOST: Final = 0xFFFF


class _Pair(ctypes.Structure):
    """``struct unipair``."""

    _fields_ = (("unicode", ctypes.c_ushort), ("fontpos", ctypes.c_ushort))


class _Map(ctypes.Structure):
    """``struct unimapdesc``."""

    _fields_ = (("entry_ct", ctypes.c_ushort), ("entries", ctypes.POINTER(_Pair)))


def console_has(descriptor: int, characters: str) -> bool:
    """Whether ``descriptor`` is a Linux console whose font has all of ``characters``.

    False for every other terminal: those do not say what their font has.
    """
    pairs = (_Pair * _MOST)()
    asked = _Map(_MOST, pairs)
    try:
        fcntl.ioctl(descriptor, _GIO_UNIMAP, asked)
    except (OSError, ValueError):  # no console, or no open descriptor
        return False
    known = {pairs[index].unicode for index in range(asked.entry_ct)}
    return all(ord(char) in known for char in characters)
