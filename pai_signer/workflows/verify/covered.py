"""What the signed files of a release say about the others that lie there (VER-1).

The manifest states a digest of each file of the release, and so does the receipt: whoever
takes the one away shall not hide by that what the other says.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pai_signer.domain.manifest import parse_manifest
from pai_signer.domain.receipt import RECEIPT_NAME, TAG_RECEIPT_NAME, Receipt, parse_receipt
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX, REGISTRY_NAME

BUNDLE_SUFFIX: Final = ".bundle"
RECEIPTS: Final = (RECEIPT_NAME, TAG_RECEIPT_NAME)


def expected_digests(manifest: Mapping[str, str], receipts: Iterable[Receipt]) -> Mapping[str, str]:
    """SHA-256 by name of each file of the release; that both say the same is asked elsewhere."""
    stated = {a.name: a.sha256 for receipt in receipts for a in receipt.artifacts}
    return {**stated, **manifest}


def stated_digests(files: Mapping[str, bytes], manifest_name: str) -> Mapping[str, str]:
    """The same of files that nobody verified yet: which names are worth a look."""
    manifest = parse_manifest(files[manifest_name]) if manifest_name in files else {}
    receipts = (parse_receipt(files[name]) for name in RECEIPTS if name in files)
    return expected_digests(manifest, receipts)


def loose_files(
    files: Iterable[str], receipts: Mapping[str, Receipt], manifest_name: str
) -> tuple[str, ...]:
    """Those of ``files`` that no signature covers and that are no signature of what is here."""
    names = tuple(files)
    covered = set(_covered(names, receipts, manifest_name))
    return tuple(name for name in names if name not in covered)


def _covered(
    names: Iterable[str], receipts: Mapping[str, Receipt], manifest_name: str
) -> Iterator[str]:
    for name in (manifest_name, *receipts):
        if name in names:
            yield from (name, name + MINISIG_SUFFIX, name + OPENPGP_SUFFIX)
    for receipt in receipts.values():
        yield from receipt.files
    # The tag is in its bundle, and each signature of an artifact has a statement of its own.
    for name in names:
        signed = name.removesuffix(MINISIG_SUFFIX)
        of_artifact = signed != name and signed not in (manifest_name, REGISTRY_NAME, *RECEIPTS)
        if of_artifact or name.endswith(BUNDLE_SUFFIX):
            yield name
