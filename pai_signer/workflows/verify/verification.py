"""Verifies a set of release files against a registry (SIG-5, VER-1).

One piece of code for all: what was just signed and has not left staging, what
is exported, and what anybody downloaded. It holds only public keys, takes the
files as bytes and digests, and returns statements; it raises on the first thing
that is wrong. It never trusts a name, an ID or a comment from the files: keys
come from the registry, and each signature is checked over what it covers.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from pai_signer.domain.artifact import HashedFile
from pai_signer.domain.manifest import parse_manifest
from pai_signer.domain.minisig import (
    check_file_in_comment,
    claims_in_comment,
    parse_signature,
    shown_key_id,
)
from pai_signer.domain.openpgp_status import KeyExpired
from pai_signer.domain.receipt import Receipt, parse_receipt, receipt_name
from pai_signer.domain.registry import (
    MINISIG_SUFFIX,
    OPENPGP_SUFFIX,
    REGISTRY_NAME,
    Algorithm,
    KeyState,
    RegisteredKey,
    Registry,
)
from pai_signer.domain.revocation import (
    check_made_in_use,
    check_no_hidden_compromise,
    judged_certificate,
)
from pai_signer.domain.tag import check_tag, parse_tag
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.domain.text import safe_text
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    DigestMismatch,
    FormatError,
    ToolMissing,
    UntrustedKey,
)
from pai_signer.workflows.verify.covered import (
    BUNDLE_SUFFIX,
    RECEIPTS,
    expected_digests,
    loose_files,
)
from pai_signer.workflows.verify.unsigned_release import refuse_unsigned
from pai_signer.workflows.verify.verified import (
    Found,
    Statement,
    Unchecked,
    Verified,
    note_unchecked,
)
from pai_signer.workflows.verify.vouching import (
    Endorsements,
    check_not_contradicted,
    endorsed,
    files_of,
    shown_key,
    shown_signer,
)
from pai_signer.workflows.workbench import Verifiers

#: The tag among the things that are signed; no file is called so.
TAG: Final = "the tag"


class ReleaseVerifier:
    """Checks files one by one and collects statements; raises when one is wrong."""

    def __init__(
        self,
        verifiers: Verifiers,
        registry: Registry,
        *,
        manifest_name: str,
        accept_rehearsal: bool = False,
        endorsements: Endorsements | None = None,
        unchecked: Unchecked | None = None,
    ) -> None:
        self._verifiers = verifiers
        self._registry = registry
        self._manifest_name = manifest_name
        self._accept_rehearsal = accept_rehearsal
        self._endorsements = endorsements or {}
        self._unchecked = unchecked

    def verify(self, files: Mapping[str, bytes], artifacts: Mapping[str, HashedFile]) -> Verified:
        """Verify small ``files`` by name, and ``artifacts`` by the digests of their content.

        ``CannotTell`` if there is nothing signed among them.
        """
        found = Found()
        manifest: dict[str, str] = {}
        if self._manifest_name in files:
            manifest = parse_manifest(files[self._manifest_name])
            if not self._has_signature(files, self._manifest_name):
                data = files[self._manifest_name]
                refuse_unsigned(self._registry, data, manifest, artifacts)
            self._both_signatures(files, self._manifest_name, found)
        receipts = self._receipts(files, found)
        tag_oid = self._tag(files, receipts, found)
        # Of a receipt that could not be checked nothing is taken; of one that only a compromised
        # key signed, what ``_vouch`` finds out decides.
        stated = [r for n, r in receipts.items() if n in {*found.vouched, *found.discounted.keys}]
        expected = expected_digests(manifest, stated)
        checked, absent = self._artifacts(expected, artifacts, found)
        self._artifact_signatures(files, artifacts, receipts, found)
        if not expected:
            # Each stands on its own .minisig then: one key's word, though a tag may be beside it.
            for name in artifacts:
                self._missing(name, "OpenPGP", found)
        self._vouch(files, manifest, tag_oid, found)
        self._consistent(files, manifest, receipts, tag_oid)
        if len(found.versions) > 1:
            raise BadSignature(
                "VER-1/two-versions",
                f"The files are of different releases: {', '.join(sorted(found.versions))}.",
                "Keep one release in one folder.",
            )
        known = {*found.vouched, *found.endorsed}
        # Nothing but what could not be checked vouches for the files: neither good nor bad.
        if self._unchecked and not (self._manifest_name in known if manifest else known):
            raise self._unchecked[-1]
        if not found.signers and not found.endorsed:
            raise CannotTell(
                "VER-1/nothing-signed",
                "There is no signature here that could be checked.",
                f"Put {self._manifest_name} and its .minisig or .asc beside the files.",
            )
        version = next(iter(found.versions), "")
        if manifest and not self._is_bound(receipts, found):
            # Only the tag says a version then, and nothing ties this manifest to that tag.
            version = ""
            text = f"{self._manifest_name}: nothing signed here says which release it is of"
            found.statements.append(Statement(text, proved=False))
        return Verified(
            statements=tuple(found.statements),
            version=version,
            signed_by=tuple(found.signers),
            manifest=manifest,
            artifacts_checked=checked,
            artifacts_absent=absent,
            tag_oid=tag_oid if TAG in known else None,
            missing_systems=tuple(found.missing_systems),
            endorsed_by=tuple(found.endorsed_by),
            endorsed=tuple(found.endorsed),
            count_for_nothing=found.discounted.shown(),
            signers_of={name: tuple(ids) for name, ids in found.vouched.items()},
            loose=loose_files(files, receipts, self._manifest_name),
            signed_at=_last_signed(r for n, r in receipts.items() if n in known),
        )

    def _is_bound(self, receipts: Mapping[str, Receipt], found: Found) -> bool:
        """Whether a signed statement says which release the manifest is of."""
        in_receipt = any(self._manifest_name in receipt.files for receipt in receipts.values())
        return in_receipt or found.version_of(self._manifest_name) is not None

    # --- the parts ------------------------------------------------------------------------

    @staticmethod
    def _has_signature(files: Mapping[str, bytes], name: str) -> bool:
        return name + MINISIG_SUFFIX in files or name + OPENPGP_SUFFIX in files

    def _both_signatures(self, files: Mapping[str, bytes], name: str, found: Found) -> None:
        """Both detached signatures of one small file; one may be absent, none may be wrong."""
        data = files[name]
        minisig, openpgp = files.get(name + MINISIG_SUFFIX), files.get(name + OPENPGP_SUFFIX)
        if minisig is None and openpgp is None:
            raise CannotTell(
                "VER-1/unsigned",
                f"{safe_text(name, limit=200)} has no signature beside it.",
                f"Download {safe_text(name, limit=200)}.minisig or .asc as well.",
            )
        if minisig is not None:
            self._minisig(name, minisig, hashlib.blake2b(data).digest(), found)
        else:
            self._missing(name, "minisign", found)
        if openpgp is not None:
            self._openpgp(name, data, openpgp, found)
        else:
            self._missing(name, "OpenPGP", found)

    @staticmethod
    def _missing(name: str, system: str, found: Found) -> None:
        found.statements.append(Statement(f"{name}: no {system} signature here", proved=False))
        found.missing_systems[system] = None

    def _minisig(
        self, name: str, signature: bytes, blake2b_512: bytes, found: Found, *, shown: str = ""
    ) -> None:
        key, comment = self.minisig(name, signature, blake2b_512)
        project, version = claims_in_comment(comment)
        names = {self._registry.project}
        if self._accept_rehearsal:
            names = {f"REHEARSAL {self._registry.project}"}
        if project is not None and project not in names:
            raise BadSignature(
                "SIG-2/other-project",
                f"{safe_text(name, limit=200)} was signed for {safe_text(project, limit=100)}, "
                f"not for {self._registry.project}.",
                "It is no file of this project's releases. Get it again from the project.",
            )
        if self._good(name, key, shown_signer(key), found, shown) and version is not None:
            found.states(version, name)
        elif version is not None:
            found.discounted.claims[name] = version

    def _openpgp(self, name: str, data: bytes, signature: bytes, found: Found) -> None:
        try:
            key, has_expired = self.openpgp(data, signature)
        except ToolMissing as missing:
            note_unchecked(self._unchecked, missing)
            text = f"{name}: COULD NOT TELL whether its OpenPGP signature is right"
            found.statements.append(Statement(text, proved=False))
            return
        since = ", expired since" if has_expired else ""
        self._good(name, key, f"{shown_key(key)} ({key.state.value}{since})", found)

    @staticmethod
    def _good(name: str, key: RegisteredKey, signer: str, found: Found, shown: str = "") -> bool:
        """Whether the signature counts: one by a compromised key is right, and says nothing."""
        if key.life is KeyState.COMPROMISED:
            text = f"{name}: the signature by the compromised key {shown_key(key)} counts for"
            found.statements.append(Statement(f"{text} nothing", proved=False))
            found.discounted.add(name, key)
            return False
        found.statements.append(Statement(f"{shown or name}: {signer}"))
        found.signers[signer] = None
        found.vouched.setdefault(name, []).append(key.id)
        return True

    def minisig(self, name: str, signature: bytes, blake2b_512: bytes) -> tuple[RegisteredKey, str]:
        """One minisign signature over a digest; who signed, and the trusted comment.

        The signer may be compromised, here and in ``openpgp``: whoever asks looks at its state.
        """
        key = self._trusted(shown_key_id(parse_signature(signature).key_id), Algorithm.MINISIGN)
        comment = self._verifiers.minisign.verify(signature, blake2b_512, key.public_key)
        check_file_in_comment(comment, name)
        return key, comment

    def openpgp(self, data: bytes, signature: bytes) -> tuple[RegisteredKey, bool]:
        """One detached OpenPGP signature; who signed, and whether that key has expired since."""
        keys = self._registry.of(Algorithm.OPENPGP)
        try:
            good = self._verifiers.openpgp.verify_detached(
                data, signature, [judged_certificate(k) for k in keys], [k.id for k in keys]
            )
            signer, made_at, has_expired = good.primary_fingerprint, good.created_at, False
        except KeyExpired as expired:
            # An old release stays good when its key has expired since; a signature that was
            # made after the expiry does not.
            if not expired.made_in_time:
                raise
            signed_by, has_expired = expired.signed_by, True
            signer, made_at = signed_by.primary_fingerprint, signed_by.created_at
        key = self._trusted(signer, Algorithm.OPENPGP)
        check_made_in_use(key, made_at)
        return key, has_expired

    def _trusted(self, key_id: str, algorithm: Algorithm) -> RegisteredKey:
        key = self._registry.find(key_id)
        if key.algorithm is not algorithm:
            raise UntrustedKey(
                "KEY-2/algorithm",
                f"{key_id} is not a key of {algorithm.value}.",
                "Get the signature and the keys folder again.",
            )
        check_no_hidden_compromise(key)
        if key.state is KeyState.REHEARSAL and not self._accept_rehearsal:
            raise UntrustedKey(
                "FACE-5/rehearsal",
                f"The key {key_id} is a rehearsal key: its signatures prove nothing.",
                "This is practice material. Never use it as a release.",
            )
        return key

    def _receipts(self, files: Mapping[str, bytes], found: Found) -> dict[str, Receipt]:
        receipts = {}
        for name in RECEIPTS:
            if name in files:
                self._both_signatures(files, name, found)
                receipt = receipts[name] = parse_receipt(files[name])
                if receipt_name(receipt.visit) != name:
                    raise _contradicts(name, f"its visit ({receipt.visit})")
                self._stated(receipt.version, name, name, found)
        return receipts

    @staticmethod
    def _stated(version: str, thing: str, name: str, found: Found) -> None:
        """A signed thing says its version; one that only a compromised key signed claims it."""
        if thing in found.vouched:
            found.states(version, name)
        else:
            found.discounted.claims[thing] = version

    def _tag(
        self, files: Mapping[str, bytes], receipts: Mapping[str, Receipt], found: Found
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
        self._openpgp(TAG, tag.payload, tag.signature, found)
        self._stated(tag.name, TAG, names[0], found)
        return bundle.tag_oid

    @staticmethod
    def _artifacts(
        expected: Mapping[str, str],
        artifacts: Mapping[str, HashedFile],
        found: Found,
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Every artifact at hand against its signed digest; partial downloads are fine."""
        for name, hashed in artifacts.items():
            if expected and name not in expected:
                raise DigestMismatch(
                    "VER-1/not-listed",
                    f"{name} is not among the signed files.",
                    "It is not part of this release. Do not use it.",
                )
            if expected and expected[name] != hashed.sha256:
                raise DigestMismatch(
                    "VER-1/digest",
                    f"{name} is NOT the file that was signed: it has SHA-256 {hashed.sha256}, "
                    f"signed was {expected[name]}.",
                    "Do not use it. Download it again.",
                )
            if expected:
                found.statements.append(Statement(f"{name}: the digest is the signed one"))
        absent = tuple(name for name in expected if name not in artifacts)
        found.statements.extend(
            Statement(f"{name}: not in this folder, not checked", proved=False) for name in absent
        )
        return tuple(name for name in artifacts if name in expected), absent

    def _artifact_signatures(
        self,
        files: Mapping[str, bytes],
        artifacts: Mapping[str, HashedFile],
        receipts: Mapping[str, Receipt],
        found: Found,
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
                text = f"{file_name}: its file is not here"
                found.statements.append(Statement(text, proved=False))
                continue
            # Without the file itself this is of the receipt's digest, and says nothing of the file.
            shown = "" if name in artifacts else f"{file_name}, over what the receipt names"
            self._minisig(name, signature, bytes.fromhex(digests[name]), found, shown=shown)

    def _vouch(
        self,
        files: Mapping[str, bytes],
        manifest: Mapping[str, str],
        tag_oid: str | None,
        found: Found,
    ) -> None:
        """Find out what vouches for each thing that only compromised keys signed (KEY-5)."""
        stated = next(iter(found.versions), None)
        for thing, keys in found.discounted.keys.items():
            at_hand = files_of(thing, files)
            if thing == TAG:
                at_hand = {n: data for n, data in files.items() if n.endswith(BUNDLE_SUFFIX)}
            try:
                release, listed = endorsed(
                    thing,
                    tuple(keys.values()),
                    self._endorsements,
                    version=stated or found.discounted.claims.get(thing),
                    files=at_hand,
                    tag_oid=tag_oid if thing == TAG else None,
                )
            except UntrustedKey:
                if not self._has_other_voucher(thing, manifest, found):
                    raise
                continue
            who = " and ".join(listed.signers)
            found.statements.append(Statement(f"{thing}: endorsed by {who}"))
            found.endorsed_by.update(dict.fromkeys(listed.signers))
            if thing not in found.vouched:
                found.endorsed[thing] = None
            found.states(release.version, thing)
        for version in found.versions:
            data = files.get(self._manifest_name)
            digest = None if data is None else hashlib.sha256(data).hexdigest()
            check_not_contradicted(self._endorsements, version, digest, tag_oid)

    def _has_other_voucher(self, thing: str, manifest: Mapping[str, str], found: Found) -> bool:
        """A good signature, or for an artifact a manifest that is vouched for and lists it."""
        good = {*found.vouched, *found.endorsed}
        return thing in good or (thing in manifest and self._manifest_name in good)

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


def _last_signed(receipts: Iterable[Receipt]) -> datetime | None:
    """When the last of these visits was; one that says no moment in UTC tells nothing."""
    moments = []
    for receipt in receipts:
        with suppress(ValueError):
            moment = datetime.fromisoformat(receipt.signed_at)
            if moment.utcoffset() is not None:
                moments.append(moment)
    return max(moments, default=None)


def _contradicts(receipt: str, what: str) -> BadSignature:
    return BadSignature(
        "EXP-3/contradiction",
        f"{receipt} and {safe_text(what, limit=200)} contradict each other.",
        "The files are not of one release. Get them again from the project.",
    )
