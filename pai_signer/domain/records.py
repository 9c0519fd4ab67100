"""Strict JSON records: what we read back has to be what we would write."""

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

R = TypeVar("R", bound=Record)
_OURS: Final = __name__.partition(".")[0]


def prepare_records() -> None:
    """Have msgspec lay out every record that is defined by now; before there are threads.

    It does so when a kind is first read, and publishes the layout before it is whole: a second
    thread that reads the same kind meanwhile follows a null pointer (msgspec 0.22,
    ``StructInfo_Convert`` in ``_core.c``), and the process is gone.
    """
    for kind in _kinds(msgspec.Struct):
        msgspec.json.Decoder(kind)


def _kinds(base: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for kind in base.__subclasses__():
        if kind.__module__.partition(".")[0] == _OURS:
            yield kind
        yield from _kinds(kind)


def encode_record(record: Record) -> bytes:
    """Pretty-printed JSON with a final newline: plain files that a person can read."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def decode_record(data: bytes, kind: type[R], name: str, *, limit_bytes: int = 16 << 20) -> R:
    """Parse ``data`` as ``kind``; ``FormatError`` if it is not byte for byte our own form.

    ``name`` is the file's name, for the error text.
    """
    try:
        if len(data) > limit_bytes:
            raise msgspec.ValidationError(f"it is larger than {limit_bytes} bytes")
        record = msgspec.json.decode(data, type=kind)
        if encode_record(record) != data:
            raise msgspec.ValidationError("it is not in the form that this program writes")
    # msgspec checks the text of field names only in passing: a broken one is a ValueError.
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FormatError(
            f"FORMAT/{name}",
            f"{name} cannot be read: {safe_text(str(error), limit=300)}.",
            "Do not edit it by hand. Get it again from where it came, or import again.",
        ) from error
    return record
