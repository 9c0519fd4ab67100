"""Which file of a download is the list of digests, where no profile says its name (VER-1)."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pai_signer.composition import sources
from pai_signer.domain.manifest import MAX_MANIFEST_BYTES, render_manifest
from pai_signer.domain.registry import Registry, UnsignedRelease
from pai_signer.errors import FormatError
from pai_signer.workflows.verify.manifest_name import manifest_name_in

LIST = render_manifest({"orbit-2026.11.0.tar.xz": "ab" * 32})


def registry(*never_signed: str | None) -> Registry:
    releases = [
        UnsignedRelease(version="v0.1.0", reason="before the keys", manifest_sha256=digest)
        for digest in never_signed
    ]
    changed = datetime(2026, 11, 1, tzinfo=UTC)
    return Registry(
        project="Orbit", serial=1, changed_at=changed, unsigned_releases=tuple(releases)
    )


def chosen(folder: Path, files: dict[str, bytes], known: Registry | None = None) -> str:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with sources().open(folder) as source:
        return manifest_name_in(source, known or registry())


@pytest.mark.parametrize("suffix", [".minisig", ".asc"])
def test_the_signed_list_is_it(tmp_path: Path, suffix: str) -> None:
    files = {"CHECKSUMS": LIST, f"CHECKSUMS{suffix}": b"", "receipt.json": b"{}"}
    files |= {f"receipt.json{suffix}": b"", "other-list": LIST}
    assert chosen(tmp_path, files) == "CHECKSUMS"


def test_the_usual_name_comes_first_signed_or_not(tmp_path: Path) -> None:
    """Else another signed list beside a forged SHA256SUMS would have that passed over."""
    files = {"SHA256SUMS": b"forged", "CHECKSUMS": LIST, "CHECKSUMS.minisig": b""}
    assert chosen(tmp_path, files) == "SHA256SUMS"


def test_a_list_that_nobody_signed_is_none(tmp_path: Path) -> None:
    assert chosen(tmp_path, {"CHECKSUMS": LIST}) == "SHA256SUMS"
    assert chosen(tmp_path, {"CHECKSUMS": LIST}, registry("cd" * 32, None)) == "SHA256SUMS"


def test_but_one_that_the_registry_knows_was_never_signed(tmp_path: Path) -> None:
    known = registry(hashlib.sha256(LIST).hexdigest())
    assert chosen(tmp_path, {"CHECKSUMS": LIST, "other": LIST + LIST}, known) == "CHECKSUMS"


def test_two_signed_lists_are_refused(tmp_path: Path) -> None:
    files = {"A": LIST, "A.asc": b"", "B": LIST, "B.minisig": b""}
    with pytest.raises(FormatError) as error:
        chosen(tmp_path, files)
    assert error.value.code == "VER-1/two-manifests"
    assert "A, B" in error.value.summary


def test_an_artifact_is_too_large_to_be_read_for_that(tmp_path: Path) -> None:
    image = b"\0" * (MAX_MANIFEST_BYTES + 1)
    assert chosen(tmp_path, {"a.iso": image, "a.iso.minisig": b""}) == "SHA256SUMS"
