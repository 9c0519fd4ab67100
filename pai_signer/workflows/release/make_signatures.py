"""Makes everything that a visit signs, in memory, and verifies it again (SIG-1 to SIG-5).

Nothing here touches a disk but the tag object in the bare mirror, and that is
taken back if anything fails.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pai_signer import __version__
from pai_signer.domain.artifact import Candidate
from pai_signer.domain.history import SigningFacts
from pai_signer.domain.host import NEEDED_TOOLS
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.minisig import trusted_comment
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.policy import CheckResult
from pai_signer.domain.progress import Progress
from pai_signer.domain.receipt import (
    JournalHead,
    Receipt,
    ReceiptArtifact,
    ReceiptKey,
    ReceiptTag,
    ReceiptTool,
    receipt_name,
    render_receipt_text,
    text_name,
)
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX, Algorithm, Registry
from pai_signer.domain.secret import Secret
from pai_signer.domain.tag import check_tag, join_tag, parse_tag, tag_payload
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.errors import BadSignature, PolicyRefused
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.release.evaluate import manifest_of
from pai_signer.workflows.verify.covered import BUNDLE_SUFFIX
from pai_signer.workflows.verify.verification import ReleaseVerifier
from pai_signer.workflows.workbench import Workbench


@dataclass
class Visit:
    """One signing in progress: what is signed, with what, and what was made so far."""

    bench: Workbench
    candidate: Candidate
    registry: Registry
    signing: SigningFacts
    entry: JournalEntry
    checks: tuple[CheckResult, ...]
    minisign_key: UnlockedMinisignKey
    openpgp_passphrase: Secret
    now: datetime
    progress: Progress
    files: dict[str, bytes] = field(default_factory=dict)
    tag_oid: str | None = None
    #: From just before the tag is written: whether there may be one to take back.
    may_have_tagged: bool = False

    def make(self) -> None:
        """Make all files of the visit, the receipt last."""
        if self.signing.visit != "tag":
            self._sign_manifest()
        if self.signing.visit != "manifest":
            self._sign_tag()
        self._sign_receipt()

    def verify(self) -> None:
        """Verify everything again, with the registry as it is stored and nothing else (SIG-5)."""
        bench = self.bench
        verifier = ReleaseVerifier(
            bench.verifiers,
            bench.registry(),
            manifest_name=bench.profile.artifacts.manifest,
            accept_rehearsal=bench.info.rehearsal,
        )
        signed_now = self.candidate.artifacts if self.signing.visit != "tag" else ()
        verified = verifier.verify(self.files, {a.file.name: a.file for a in signed_now})
        expected = {a.file.name: a.file.sha256 for a in signed_now}
        if verified.manifest != expected or verified.tag_oid != self.tag_oid:
            raise BadSignature(
                "SIG-5/other-content",
                "What was signed is not what was reviewed.",
                "Nothing leaves this machine. Report this as a bug.",
            )
        for statement in verified.statements:
            self.progress.say(Line(statement.text, label="verified", mark=Mark.OK))

    def _sign_manifest(self) -> None:
        profile = self.bench.profile
        manifest = manifest_of(self.candidate)
        if manifest is None:
            raise PolicyRefused(
                "SIG-1/no-artifacts",
                "There is nothing to put into a manifest.",
                "Import the artifacts first.",
            )
        self._put(profile.artifacts.manifest, manifest)
        self._sign_both(profile.artifacts.manifest)
        if profile.artifacts.signature_per_artifact:
            for artifact in self.candidate.artifacts:
                # From the digest in hand: the medium is not read again (IMP-3).
                digest = bytes.fromhex(artifact.file.blake2b_512)
                self._minisign(artifact.file.name, digest)

    def _sign_tag(self) -> None:
        bench, commit = self.bench, self.candidate.commit
        if commit is None:
            raise PolicyRefused(
                "SIG-4/no-commit", "There is no commit to tag.", "Import a bundle first."
            )
        name = self.candidate.version
        version = bench.profile.version_of(name)
        payload = tag_payload(
            target_oid=commit.oid,
            name=name,
            tagger_name=bench.info.maintainer_name,
            tagger_email=bench.info.maintainer_email,
            tagged_at=self.now,
            message=bench.profile.tag_message_of(version),
        )
        tag_object = join_tag(payload, self._openpgp(payload))
        check_tag(parse_tag(tag_object), name=name, target_oid=commit.oid)
        self.progress.check()
        self._write_tag(tag_object, name)
        bundle = bench.tags.bundle_tag(name)
        if parse_tag_bundle(bundle).tag_object != tag_object:
            raise BadSignature(
                "SIG-4/bundle",
                "The bundle holds another tag object than the one that was made.",
                "Nothing leaves this machine. Report this as a bug.",
            )
        self._put(f"{name}{BUNDLE_SUFFIX}", bundle)

    def _write_tag(self, tag_object: bytes, name: str) -> None:
        self.may_have_tagged = True
        try:
            self.tag_oid = self.bench.tags.write_tag(tag_object, name)
        except PolicyRefused:
            # A name that is taken is refused before anything is written: that tag is not ours.
            self.may_have_tagged = False
            raise

    def _sign_receipt(self) -> None:
        receipt = self._receipt()
        name = receipt_name(self.signing.visit)
        # The text first: the signed record pins it like every other file (EXP-3).
        self._put(text_name(name), render_receipt_text(receipt).encode())
        receipt = msgspec.structs.replace(receipt, files=self._digests())
        self._put(name, encode_record(receipt))
        self._sign_both(name)

    def _receipt(self) -> Receipt:
        signing, info = self.signing, self.bench.info
        artifacts = self.candidate.artifacts if signing.visit != "tag" else ()
        tag = None
        if self.tag_oid is not None and signing.commit is not None:
            tag = ReceiptTag(name=signing.version, oid=self.tag_oid, commit=signing.commit)
        before = self.bench.history().find(signing.version)
        earlier = {} if before is None else {r: before.files[r] for r in before.receipts}
        return Receipt(
            project=self.bench.profile.project.name,
            version=signing.version,
            visit=signing.visit,
            rehearsal=info.rehearsal,
            signed_at=self.now.isoformat(),
            maintainer=f"{info.maintainer_name} <{info.maintainer_email}>",
            program=f"pai-signer {__version__}",
            keys=tuple(
                ReceiptKey(algorithm=key.algorithm.value, id=key.id)
                for algorithm in Algorithm
                if (key := self.registry.signing_key(algorithm)) is not None
            ),
            checks=self.checks,
            journal=JournalHead(n=self.entry.n, hash=self.entry.hash),
            files=self._digests(),
            artifacts=tuple(
                ReceiptArtifact(
                    name=a.file.name,
                    size_bytes=a.file.size_bytes,
                    sha256=a.file.sha256,
                    blake2b_512=a.file.blake2b_512,
                    vouched_for_by=tuple(e.source for e in a.expected),
                    findings=tuple(f.text for f in a.findings),
                )
                for a in artifacts
            ),
            manifest_sha256=signing.manifest_sha256,
            tag=tag,
            earlier=earlier,
            program_sha256=self.bench.program.installation().sha256,
            tools=tuple(
                ReceiptTool(name=tool.name, path=tool.path, version=tool.version or tool.name)
                for tool in self.bench.host.facts().tools
                if tool.path is not None and tool.name in NEEDED_TOOLS
            ),
        )

    def _digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}

    def _sign_both(self, name: str) -> None:
        data = self.files[name]
        self._minisign(name, hashlib.blake2b(data).digest())
        self._put(name + OPENPGP_SUFFIX, self._openpgp(data))

    def _minisign(self, name: str, blake2b_512: bytes) -> None:
        self.progress.check()
        comment = trusted_comment(self.bench.comment_project, self.candidate.version, name)
        signature = self.minisign_key.sign_prehashed(blake2b_512, comment)
        self._put(name + MINISIG_SUFFIX, signature)

    def _openpgp(self, data: bytes) -> bytes:
        self.progress.check()
        key = self.registry.signing_key(Algorithm.OPENPGP)
        if key is None:
            raise PolicyRefused(
                "POL-6/no-key", "There is no active OpenPGP key.", "Generate or import one."
            )
        return self.bench.openpgp.sign_detached(data, key.id, self.openpgp_passphrase)

    def _put(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.progress.say(Line(f"{name} ({len(data):,} bytes)", label="made"))
