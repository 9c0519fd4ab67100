"""Verifies a set of release files against a registry (SIG-5, VER-1).

One piece of code for all: what was just signed and has not left staging, what
is exported, and what anybody downloaded. It holds only public keys, takes the
files as bytes and digests, and returns statements; it raises on the first thing
that is wrong. It never trusts a name, an ID or a comment from the files: keys
come from the registry, and each signature is checked over what it covers.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pai_signer.domain.artifact import HashedFile
from pai_signer.domain.manifest import parse_manifest
from pai_signer.domain.minisig import check_file_in_comment, parse_signature, shown_key_id
from pai_signer.domain.receipt import RECEIPT_NAME, TAG_RECEIPT_NAME, Receipt, parse_receipt
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
    parse_registry,
)
from pai_signer.domain.tag import check_tag, parse_tag
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.domain.text import safe_text
from pai_signer.errors import BadSignature, CannotTell, DigestMismatch, FormatError, UntrustedKey
from pai_signer.workflows.workbench import Verifiers

BUNDLE_SUFFIX: Final = ".bundle"
RECEIPTS: Final = (RECEIPT_NAME, TAG_RECEIPT_NAME)


@dataclass(frozen=True)
class Statement:
    """One thing that was verified, or one that is not there to be verified."""

    text: str
    proved: bool = True


@dataclass(frozen=True)
class Verified:
    """All that was found right about a set of files."""

    statements: tuple[Statement, ...]
    version: str
    signed_by: tuple[str, ...]
    manifest: Mapping[str, str] = field(default_factory=dict)
    artifacts_checked: tuple[str, ...] = ()
    artifacts_absent: tuple[str, ...] = ()
    tag_oid: str | None = None


class ReleaseVerifier:
    """Checks files one by one and collects statements; raises when one is wrong."""

    def __init__(
        self,
        verifiers: Verifiers,
        registry: Registry,
        *,
        manifest_name: str,
        accept_rehearsal: bool = False,
    ) -> None:
        self._verifiers = verifiers
        self._registry = registry
        self._manifest_name = manifest_name
        self._accept_rehearsal = accept_rehearsal

    def verify(self, files: Mapping[str, bytes], artifacts: Mapping[str, HashedFile]) -> Verified:
        """Verify small ``files`` by name, and ``artifacts`` by the digests of their content.

        ``CannotTell`` if there is nothing signed among them.
        """
        statements: list[Statement] = []
        signers: dict[str, None] = {}
        manifest: dict[str, str] = {}
        versions: dict[str, str] = {}
        if self._manifest_name in files:
            manifest = parse_manifest(files[self._manifest_name])
            self._both_signatures(files, self._manifest_name, statements, signers)
        receipts = self._receipts(files, statements, signers)
        versions.update({receipt.version: name for name, receipt in receipts.items()})
        tag_oid = self._tag(files, receipts, statements, signers, versions)
        checked, absent = self._artifacts(manifest, artifacts, statements)
        self._artifact_signatures(files, artifacts, receipts, statements, signers)
        self._consistent(files, manifest, receipts, tag_oid)
        if len(versions) > 1:
            raise BadSignature(
                "VER-1/two-versions",
                f"The files are of different releases: {', '.join(sorted(versions))}.",
                "Keep one release in one folder.",
            )
        if not signers:
            raise CannotTell(
                "VER-1/nothing-signed",
                "There is no signature here that could be checked.",
                f"Put {self._manifest_name} and its .minisig or .asc beside the files.",
            )
        return Verified(
            tuple(statements),
            next(iter(versions), ""),
            tuple(signers),
            manifest,
            checked,
            absent,
            tag_oid,
        )

    # --- the parts ------------------------------------------------------------------------

    def _both_signatures(
        self,
        files: Mapping[str, bytes],
        name: str,
        statements: list[Statement],
        signers: dict[str, None],
    ) -> None:
        """Both detached signatures of one small file; one may be absent, none may be wrong."""
        found = 0
        data = files[name]
        if (signature := files.get(name + MINISIG_SUFFIX)) is not None:
            digest = hashlib.blake2b(data).digest()
            signers[self.minisig(name, signature, digest, statements)] = None
            found += 1
        else:
            statements.append(Statement(f"{name}: no minisign signature here", proved=False))
        if (signature := files.get(name + OPENPGP_SUFFIX)) is not None:
            signers[self.openpgp(name, data, signature, statements)] = None
            found += 1
        else:
            statements.append(Statement(f"{name}: no OpenPGP signature here", proved=False))
        if not found:
            raise CannotTell(
                "VER-1/unsigned",
                f"{safe_text(name, limit=200)} has no signature beside it.",
                f"Download {safe_text(name, limit=200)}.minisig or .asc as well.",
            )

    def minisig(
        self, name: str, signature: bytes, blake2b_512: bytes, statements: list[Statement]
    ) -> str:
        """One minisign signature over a digest; returns who signed."""
        key = self._trusted(shown_key_id(parse_signature(signature).key_id), Algorithm.MINISIGN)
        comment = self._verifiers.minisign.verify(signature, blake2b_512, key.public_key)
        check_file_in_comment(comment, name)
        statements.append(Statement(f"{name}: minisign {key.id} ({key.state.value})"))
        return f"minisign {key.id} ({key.state.value})"

    def openpgp(self, name: str, data: bytes, signature: bytes, statements: list[Statement]) -> str:
        """One detached OpenPGP signature; returns who signed."""
        keys = self._registry.of(Algorithm.OPENPGP)
        good = self._verifiers.openpgp.verify_detached(
            data, signature, [key.public_key for key in keys], [key.id for key in keys]
        )
        key = self._trusted(good.primary_fingerprint, Algorithm.OPENPGP)
        statements.append(Statement(f"{name}: OpenPGP {key.id} ({key.state.value})"))
        return f"OpenPGP {key.id} ({key.state.value})"

    def _trusted(self, key_id: str, algorithm: Algorithm) -> RegisteredKey:
        key = self._registry.find(key_id)
        if key.algorithm is not algorithm:
            raise UntrustedKey(
                "KEY-2/algorithm",
                f"{key_id} is not a key of {algorithm.value}.",
                "Get the signature and the keys folder again.",
            )
        if key.state is KeyState.COMPROMISED:
            raise UntrustedKey(
                "KEY-5/compromised",
                f"The key {key_id} is marked as compromised.",
                "Do not trust this file. See the project's security page.",
            )
        if key.state is KeyState.REHEARSAL and not self._accept_rehearsal:
            raise UntrustedKey(
                "FACE-5/rehearsal",
                f"The key {key_id} is a rehearsal key: its signatures prove nothing.",
                "This is practice material. Never use it as a release.",
            )
        return key

    def _receipts(
        self,
        files: Mapping[str, bytes],
        statements: list[Statement],
        signers: dict[str, None],
    ) -> dict[str, Receipt]:
        receipts = {}
        for name in RECEIPTS:
            if name in files:
                self._both_signatures(files, name, statements, signers)
                receipts[name] = parse_receipt(files[name])
        return receipts

    def _tag(
        self,
        files: Mapping[str, bytes],
        receipts: Mapping[str, Receipt],
        statements: list[Statement],
        signers: dict[str, None],
        versions: dict[str, str],
    ) -> str | None:
        """The tag object inside the tag-only bundle (SIG-4)."""
        names = [name for name in files if name.endswith(BUNDLE_SUFFIX)]
        if not names:
            return None
        if len(names) > 1:
            raise FormatError(
                "VER-1/two-bundles",
                f"There are {len(names)} bundles in the folder.",
                "Keep the one of this release.",
            )
        bundle = parse_tag_bundle(files[names[0]])
        tag = parse_tag(bundle.tag_object)
        target = next((r.tag.commit for r in receipts.values() if r.tag), tag.target_oid)
        check_tag(tag, name=bundle.tag_name, target_oid=target)
        signers[self.openpgp(f"tag {tag.name}", tag.payload, tag.signature, statements)] = None
        versions[tag.name] = names[0]
        return bundle.tag_oid

    def _artifacts(
        self,
        manifest: Mapping[str, str],
        artifacts: Mapping[str, HashedFile],
        statements: list[Statement],
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Every artifact at hand against the manifest; partial downloads are fine."""
        for name, hashed in artifacts.items():
            if manifest and name not in manifest:
                raise DigestMismatch(
                    "VER-1/not-listed",
                    f"{name} is not in the signed manifest.",
                    "It is not part of this release. Do not use it.",
                )
            if manifest and manifest[name] != hashed.sha256:
                raise DigestMismatch(
                    "VER-1/digest",
                    f"{name} is NOT the file that was signed: it has SHA-256 {hashed.sha256}, "
                    f"signed was {manifest[name]}.",
                    "Do not use it. Download it again.",
                )
            if manifest:
                statements.append(Statement(f"{name}: the digest is the signed one"))
        absent = tuple(name for name in manifest if name not in artifacts)
        statements.extend(
            Statement(f"{name}: not in this folder, not checked", proved=False) for name in absent
        )
        return tuple(name for name in artifacts if name in manifest), absent

    def _artifact_signatures(
        self,
        files: Mapping[str, bytes],
        artifacts: Mapping[str, HashedFile],
        receipts: Mapping[str, Receipt],
        statements: list[Statement],
        signers: dict[str, None],
    ) -> None:
        """A ``.minisig`` for each artifact; a signed receipt stands in for an absent file."""
        digests = {a.name: a.blake2b_512 for r in receipts.values() for a in r.artifacts}
        digests.update({name: hashed.blake2b_512 for name, hashed in artifacts.items()})
        covered = {self._manifest_name, REGISTRY_NAME, *RECEIPTS}
        for file_name, signature in files.items():
            name = file_name.removesuffix(MINISIG_SUFFIX)
            if name == file_name or name in covered:
                continue
            if name not in digests:
                statements.append(Statement(f"{file_name}: its file is not here", proved=False))
                continue
            digest = bytes.fromhex(digests[name])
            signers[self.minisig(name, signature, digest, statements)] = None

    def _consistent(
        self,
        files: Mapping[str, bytes],
        manifest: Mapping[str, str],
        receipts: Mapping[str, Receipt],
        tag_oid: str | None,
    ) -> None:
        """The receipts say the same as the files (EXP-3)."""
        for name, receipt in receipts.items():
            for file_name, digest in receipt.files.items():
                data = files.get(file_name)
                if data is not None and hashlib.sha256(data).hexdigest() != digest:
                    raise _contradicts(name, file_name)
            listed = {a.name: a.sha256 for a in receipt.artifacts}
            if manifest and listed and listed != manifest:
                raise _contradicts(name, self._manifest_name)
            if tag_oid and receipt.tag and receipt.tag.oid != tag_oid:
                raise _contradicts(name, "the tag")
            if receipt.project != self._registry.project:
                raise _contradicts(name, "the registry's project")


def verify_registry(
    files: Mapping[str, bytes], verifiers: Verifiers, *, accept_rehearsal: bool = False
) -> Registry:
    """Parse ``registry.json`` and check the signatures by its own signing keys (KEY-2).

    That the folder is the right one is for whoever chose it to know; this finds
    a registry that was changed after its keys signed it.
    """
    if REGISTRY_NAME not in files:
        raise CannotTell(
            "KEY-2/no-registry",
            f"There is no {REGISTRY_NAME} in the keys folder.",
            "Give the folder of published keys, such as keys/public of the project's repository.",
        )
    data = files[REGISTRY_NAME]
    registry = parse_registry(data)
    verifier = ReleaseVerifier(
        verifiers, registry, manifest_name=REGISTRY_NAME, accept_rehearsal=accept_rehearsal
    )
    for algorithm, suffix in (
        (Algorithm.MINISIGN, MINISIG_SUFFIX),
        (Algorithm.OPENPGP, OPENPGP_SUFFIX),
    ):
        key = registry.signing_key(algorithm)
        if key is None:
            continue
        signature = files.get(REGISTRY_NAME + suffix)
        if signature is None:
            raise CannotTell(
                "KEY-2/unsigned-registry",
                f"{REGISTRY_NAME}{suffix} is missing: the registry is not signed by {key.id}.",
                "Get the whole keys folder again.",
            )
        if algorithm is Algorithm.MINISIGN:
            digest = hashlib.blake2b(data).digest()
            signer = verifier.minisig(REGISTRY_NAME, signature, digest, [])
        else:
            signer = verifier.openpgp(REGISTRY_NAME, data, signature, [])
        if key.id not in signer:
            raise UntrustedKey(
                "KEY-2/registry-signer",
                f"The registry is signed by {signer}, not by its own key {key.id}.",
                "Get the whole keys folder again.",
            )
    return registry


def _contradicts(receipt: str, what: str) -> BadSignature:
    return BadSignature(
        "EXP-3/contradiction",
        f"{receipt} and {safe_text(what, limit=200)} contradict each other.",
        "The files are not of one release. Get them again from the project.",
    )
