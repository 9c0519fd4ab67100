"""Ways to spoil bytes: what editors, media and attackers do, and what only they could know.

A mutator takes a source of chance and good bytes, and returns other bytes. Those of bytes
know nothing of a format; a ``Shell`` opens one first (armor, base64, a checksum) and closes
it properly again, so that what is inside is reached; those of a tree keep JSON in the
program's own form, so that only the rules behind the form stand in the way.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

Mutator = Callable[[random.Random, bytes], bytes]

TOKENS: Final = (
    *(b"null", b"true", b"-1", b"1e400", b'""', b"{}", b"[]", b"\x00", b"\xff", b"\r\n", b","),
    *(b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00Z", b"2026-01-05T12:00:00+14:00"),
    *(b"../", b"..", b"/etc/passwd", b"-rf", b"C:\\", b"CON", b"\\n", b"%s%n", b"\\ud800"),
    *(b"18446744073709551616", b"9" * 5000, b"\xc3\x28", b"\xf0\x9f\x92\xa9", b"\xef\xbb\xbf"),
    *(b"[" * 2000, b'{"a":' * 2000, b" " * 20_000, "\u202e".encode(), b"\x1b[2J", b"\xc2\x85"),
)
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, 1.5, 1e300, "", "x", "x" * 5000),
    *("\x1b[2J", "a\nb", "\u202e", "../x", "-x", "0" * 64, "F" * 40, "a" * 40, [], {}, [[]]),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-06-01T00:00:00+14:00"),
)


def spoilt_bytes(
    chance: random.Random, data: bytes, tokens: Sequence[bytes] = TOKENS, others: bytes = b""
) -> bytes:
    """``data`` after one to three changes; ``others`` is what pieces are taken from, too."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(changed) + 1)
        upto = min(len(changed), at + chance.choice((1, 1, 2, 8, 64)))
        match chance.randrange(10):
            case 0:
                changed[at:upto] = chance.randbytes(upto - at)
            case 1:
                del changed[at:upto]
            case 2:
                changed[at:at] = changed[at:upto] or b"\n"
            case 3:
                changed[at:at] = chance.choice(tokens)
            case 4:
                changed[at:upto] = chance.choice(tokens)
            case 5:  # doubled fields, and lines in another order
                _move_line(chance, changed)
            case 6 if changed:
                changed[at - 1] ^= 1 << chance.randrange(8)
            case 7 if changed:  # lengths that are a little or very wrong
                changed[at - 1] = (changed[at - 1] + chance.choice((1, -1, 16, 127))) & 0xFF
            case 8 if others:
                start = chance.randrange(len(others))
                changed[at:upto] = others[start : start + chance.choice((2, 8, 64, 512))]
            case _:
                del changed[at:]
    return bytes(changed)


def _move_line(chance: random.Random, changed: bytearray) -> None:
    lines = changed.splitlines(keepends=True)
    if not lines:
        return
    chosen = chance.randrange(len(lines))
    line = lines[chosen] if chance.random() < 0.5 else lines.pop(chosen)
    lines.insert(chance.randrange(len(lines) + 1), line)
    changed[:] = b"".join(lines)


Closing = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Shell:
    """A form around bytes: a mutator that spoils what is inside and leaves the shell right.

    ``opened`` returns what is inside, and how to close it again over other bytes; it raises
    ``ValueError`` for what has not that form.
    """

    opened: Callable[[bytes], tuple[bytes, Closing]]
    tokens: tuple[bytes, ...] = TOKENS

    def __call__(self, chance: random.Random, data: bytes) -> bytes:
        """Spoil what is inside."""
        try:
            inside, closed = self.opened(data)
        except ValueError:
            return spoilt_bytes(chance, data)
        return closed(spoilt_bytes(chance, inside, self.tokens))


# --- trees of JSON -------------------------------------------------------------------------------


def own_form(tree: Any) -> bytes:
    """``tree`` as the program writes a record."""
    return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"


def spoilt_rows(
    chance: random.Random,
    tree: dict[str, Any],
    lists: Sequence[str],
    values: Mapping[str, Sequence[Any]],
) -> None:
    """Change a record in place once: its rows in ``lists``, or a field to one of ``values``."""
    rows = [row for name in lists for row in tree[name] if isinstance(row, dict)]
    row = chance.choice([tree, *rows])
    held = tree[chance.choice(lists)]
    match chance.randrange(10):
        case 0:
            held.append(copy.deepcopy(chance.choice([tree, *rows])))
        case 1 if held:
            held.pop(chance.randrange(len(held)))
        case 2:
            chance.shuffle(held)
        case 3:
            row[chance.choice(("extra", "Serial", "__class__"))] = 1
        case 4 if row is not tree:
            row.pop(chance.choice(list(row)), None)
        case _:
            name = chance.choice([n for n in values if n in row] or ["extra"])
            row[name] = chance.choice(values.get(name, (1,)))


def spoilt_tree(chance: random.Random, data: bytes) -> bytes:
    """A mutator of JSON in the program's own form; other bytes are spoilt as bytes."""
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return spoilt_bytes(chance, data)
    for _ in range(chance.choice((1, 1, 2, 3))):
        if places := _places(tree):
            _change_value(chance, places)
    try:
        return own_form(tree)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return spoilt_bytes(chance, data)


def _change_value(chance: random.Random, places: Sequence[tuple[Any, Any]]) -> None:
    holder, key = chance.choice(places)
    is_list = isinstance(holder, list)
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1 if is_list:
            holder.insert(key, copy.deepcopy(chance.choice(holder)))
        case 2 if is_list:
            chance.shuffle(holder)
        case 3 if not is_list:
            other = chance.choice(list(holder))
            holder[key], holder[other] = holder[other], holder[key]
        case 4 if isinstance(holder[key], str):
            holder[key] = _spoilt_text(chance, holder[key])
        case 5:
            other_holder, other = chance.choice(places)
            holder[key] = copy.deepcopy(other_holder[other])
        case 6 if not is_list:
            holder[chance.choice(("extra", "format", "__class__", ""))] = 1
        case _:
            holder[key] = chance.choice(_VALUES)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value of a tree, as its holder and the key there; a part of a very large tree."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(found) < 2000:
        holder = waiting.pop()
        if not isinstance(holder, dict | list):
            continue
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        waiting += [holder[key] for key in keys]
    return found


def _spoilt_text(chance: random.Random, text: str) -> str:
    spoilt = spoilt_bytes(chance, text.encode("utf-8", "surrogatepass"))
    return spoilt.decode("utf-8", "replace")
