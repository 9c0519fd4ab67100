"""``vault.json``: whose vault this is, and whether its keys are for practice only (FACE-5)."""

from datetime import datetime, timedelta
from typing import Final

from pai_signer.domain.artifact import Record
from pai_signer.domain.records import decode_record, encode_record
from pai_signer.domain.tag import check_identity
from pai_signer.errors import FormatError

#: Raised when a newer program changes the vault's layout; this one refuses what it does not know.
FORMAT: Final = 1
VAULT_INFO_NAME: Final = "vault.json"
MAX_VAULT_INFO_BYTES: Final = 1 << 16


class VaultInfo(Record, frozen=True, kw_only=True):
    """The identity of a vault; ``created_at`` is in UTC, whole seconds."""

    format: int = FORMAT
    project: str
    maintainer_name: str
    maintainer_email: str
    created_at: datetime
    rehearsal: bool = False


def encode_vault_info(info: VaultInfo) -> bytes:
    """The content of ``vault.json``; refuses what ``parse_vault_info`` would refuse."""
    _check(info)
    return encode_record(info)


def parse_vault_info(data: bytes) -> VaultInfo:
    """Read ``vault.json`` strictly; ``FormatError`` for anything that we would not write."""
    info = decode_record(data, VaultInfo, VAULT_INFO_NAME, limit_bytes=MAX_VAULT_INFO_BYTES)
    _check(info)
    return info


def _check(info: VaultInfo) -> None:
    if info.format != FORMAT:
        raise FormatError(
            "SEC-2/vault-format",
            f"The vault has format {info.format}; this program knows format {FORMAT}.",
            "Use the version of the program that made it, or a newer one.",
        )
    check_identity(info.maintainer_name, info.maintainer_email)
    if info.created_at.utcoffset() != timedelta(0) or info.created_at.microsecond:
        raise FormatError(
            "SEC-2/vault-format",
            "vault.json does not say properly when the vault was made.",
            "Restore the vault's files from a backup.",
        )
