"""Writes the published keys into a folder that may hold an earlier state of them (KEY-2)."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pai_signer.adapters import device_errors, durable
from pai_signer.domain.names import check_name
from pai_signer.ports import WrittenFile

_PUBLIC: int = 0o644


class FolderPublisher:
    """Implements ``ports.Publisher``: replaces files one by one, each of them atomically."""

    def publish(self, directory: Path, files: Mapping[str, bytes]) -> tuple[WrittenFile, ...]:
        """Write every file durably under its own name; raises ``MediumError``."""
        for name in files:
            check_name(name)
        return tuple(self._write(directory / name, data) for name, data in sorted(files.items()))

    def withdraw(self, directory: Path, names: Iterable[str]) -> None:
        """Remove what was published before and is no more, durably; raises ``MediumError``."""
        for name in names:
            check_name(name)
            durable.remove(directory / name)

    @staticmethod
    def _write(path: Path, data: bytes) -> WrittenFile:
        with device_errors.explained(f"write {path.name}", requirement="KEY-2"):
            was_there = path.is_file() and path.read_bytes() == data
            if not was_there:
                durable.replace(path, data, mode=_PUBLIC)
        return WrittenFile(path.name, len(data), hashlib.sha256(data).hexdigest(), was_there)
