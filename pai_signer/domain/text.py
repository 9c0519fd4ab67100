"""The one sanitiser between text from outside and any terminal or log (SEC-3)."""

from typing import Final

# Characters that `str.isprintable` lets pass and that still deceive a reader: soft hyphen,
# combining grapheme joiner, Hangul fillers, Mongolian and general variation selectors, blank
# Braille. Bidirectional overrides and zero-width characters are "not printable" already
# (Unicode categories Cf, Zl, Zp).
_DECEPTIVE: Final = frozenset(
    {0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0100, 0xE01F0))
)

DEFAULT_LIMIT: Final = 4096
#: Ends a text that was cut.
CUT: Final = "[...]"


def safe_text(text: str, *, limit: int = DEFAULT_LIMIT) -> str:
    r"""Return ``text`` with every character that is not plainly visible escaped.

    Control bytes, line ends, bidirectional overrides, zero-width and combining
    deceptions and undecodable bytes (surrogate escapes) appear as ``\xNN``,
    ``\uNNNN`` or ``\UNNNNNNNN``. Sanitising twice changes nothing, so text that a record
    already holds in its escaped form can pass through a face again.
    At most ``limit`` characters are returned; a cut is marked with ``[...]``.
    """
    out: list[str] = []
    length = 0
    for char in text:
        shown = _shown(char)
        length += len(shown)
        if length > limit:
            out.append(CUT)
            break
        out.append(shown)
    return "".join(out)


def is_safe(text: str) -> bool:
    """Whether ``safe_text`` would show ``text`` unchanged."""
    return all(_shown(char) == char for char in text)


def _shown(char: str) -> str:
    point = ord(char)
    if char.isprintable() and point not in _DECEPTIVE:
        return char
    if 0xDC80 <= point <= 0xDCFF:  # a byte that was not UTF-8, as os.fsdecode keeps it
        return f"\\x{point - 0xDC00:02x}"
    if point <= 0xFF:
        return f"\\x{point:02x}"
    if point <= 0xFFFF:
        return f"\\u{point:04x}"
    return f"\\U{point:08x}"
