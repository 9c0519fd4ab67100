"""Reads every digest that the side files of a folder state (IMP-4)."""

from pai_signer.domain.artifact import ExpectedDigest
from pai_signer.domain.manifest import (
    MAX_MANIFEST_BYTES,
    ForeignManifest,
    parse_foreign_manifest,
)
from pai_signer.ports import Source
from pai_signer.workflows.release.recognise import DIGEST_SUFFIX, Found


def expected_digests(
    source: Source, found: Found, leniencies: list[str], *, independent: bool
) -> dict[str, list[ExpectedDigest]]:
    """Every digest that the side files of ``source`` state, by artifact name."""
    where = "second source's " if independent else ""
    files: list[tuple[str, ForeignManifest]] = []
    if found.manifest:
        data = source.read_small(found.manifest, MAX_MANIFEST_BYTES)
        files.append((found.manifest, parse_foreign_manifest(data)))
    for name in found.digest_files:
        data = source.read_small(name, MAX_MANIFEST_BYTES)
        subject = name.removesuffix(DIGEST_SUFFIX)
        files.append((name, parse_foreign_manifest(data, only_name=subject)))
    expected: dict[str, list[ExpectedDigest]] = {}
    for file_name, parsed in files:
        leniencies.extend(f"{where}{file_name}: {note}" for note in parsed.leniencies)
        for name, digest in parsed.digests.items():
            vouched = ExpectedDigest(
                source=f"{where}{file_name}", sha256=digest, independent=independent
            )
            expected.setdefault(name, []).append(vouched)
    return expected
