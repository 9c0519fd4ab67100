"""Strict JSON records: what we read back has to be what we would write."""

from typing import TypeVar

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError

R = TypeVar("R", bound=Record)


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
