"""How one fault is put into good bytes, and nothing else is changed."""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from pai_signer.errors import SignerError
from tests.fuzzing.mutations import own_form

Change = Callable[[bytes], bytes]


class Fault(msgspec.Struct, frozen=True):
    """One bad file: how it is made of the sample, and what has to become of it.

    ``why`` stands in the text of the refusal, so that it is this fault that was seen.
    """

    format: str
    name: str
    family: type[SignerError]
    code: str
    why: str
    change: Change
    sample: int = 0

    @property
    def path(self) -> str:
        """Where it lies under ``tests/vectors/bad``."""
        return f"{self.format}/{self.name}"


def replaced(old: bytes, new: bytes, count: int = 1) -> Change:
    """The first ``count`` of ``old``, which must be there."""

    def change(data: bytes) -> bytes:
        assert old in data, old
        return data.replace(old, new, count)

    return change


def matched(pattern: bytes, new: bytes) -> Change:
    """The first match of a regular expression, which must be there."""

    def change(data: bytes) -> bytes:
        changed, count = re.subn(pattern, new, data, count=1)
        assert count == 1, pattern
        return changed

    return change


def cut(count: int) -> Change:
    """Without the last ``count`` bytes."""
    return lambda data: data[:-count]


def appended(more: bytes) -> Change:
    """Something behind the end."""
    return lambda data: data + more


def prepended(more: bytes) -> Change:
    """Something before the beginning."""
    return lambda data: more + data


def only(data: bytes) -> Change:
    """Other bytes altogether."""
    return lambda _: data


def lines_swapped(first: int, second: int) -> Change:
    """Two lines, counted from 0, in each other's place."""

    def change(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        lines[first], lines[second] = lines[second], lines[first]
        return b"".join(lines)

    return change


def line_twice(number: int) -> Change:
    """One line, counted from 0, two times."""

    def change(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join([*lines[: number + 1], *lines[number:]])

    return change


def without_line(number: int) -> Change:
    """One line, counted from 0, left out."""

    def change(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join([*lines[:number], *lines[number + 1 :]])

    return change


GONE: Final = object()


def field(*path: Any, to: Any) -> Change:
    """A field of JSON in the program's own form, which stays in that form; ``GONE`` drops it."""

    def change(data: bytes) -> bytes:
        tree = holder = msgspec.json.decode(data)
        for key in path[:-1]:
            holder = holder[key]
        if to is GONE:
            del holder[path[-1]]
        else:
            holder[path[-1]] = to(holder[path[-1]]) if callable(to) else to
        return own_form(tree)

    return change


def patched(at: int, new: bytes) -> Change:
    """Bytes at a place; a negative one counts from the end."""

    def change(data: bytes) -> bytes:
        start = at if at >= 0 else len(data) + at
        return data[:start] + new + data[start + len(new) :]

    return change


def inside(opened: Callable[[bytes], tuple[bytes, Change]], change: Change) -> Change:
    """A change within a shell, which is closed again as it should be."""

    def whole(data: bytes) -> bytes:
        inner, closed = opened(data)
        return closed(change(inner))

    return whole


Row = tuple[str, str, str, Change] | tuple[str, str, str, Change, int]


def faults(form: str, family: type[SignerError], *rows: Row) -> tuple[Fault, ...]:
    """One ``Fault`` for each row: name, code, why, change, and which sample if not the first."""
    return tuple(
        Fault(form, row[0], family, row[1], row[2], row[3], row[4] if len(row) == 5 else 0)
        for row in rows
    )
