"""What must hold for whatever a parser accepts.

Where a format has one spelling, the answer, written again, gives the very same bytes. Names
that will stand on a filesystem, in a ref or in a message stay in their folder, whatever they
are. Also here: parsers that take more than bytes, with the rest as it usually is.
"""

import base64
import functools
import hashlib
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from unittest import mock

from pai_signer.adapters import media
from pai_signer.adapters.minisign_verify import CryptographyMinisignVerifier
from pai_signer.adapters.process import Finished
from pai_signer.domain import backup, manifest
from pai_signer.domain.artifact import Candidate, Finding, FindingLevel
from pai_signer.domain.bundle_header import BundleHeader
from pai_signer.domain.ceremony import parse_transcript
from pai_signer.domain.ceremony_text import render_transcript
from pai_signer.domain.challenge import render_challenge
from pai_signer.domain.endorsement import Endorsement
from pai_signer.domain.history import read_history
from pai_signer.domain.iso import inspect_iso
from pai_signer.domain.journal import JournalEntry, encode_entry
from pai_signer.domain.ledger_reading import read_ledger
from pai_signer.domain.manifest import ForeignManifest, is_sha256
from pai_signer.domain.minisig import (
    MinisignPublicKey,
    MinisignSignature,
    claims_in_comment,
    file_in_comment,
)
from pai_signer.domain.noted_head import NOTED_BYTES, NotedHead, parse_noted_head
from pai_signer.domain.openpgp import ListedCertificate, parse_key_listing, parse_keygrips
from pai_signer.domain.openpgp_certificate import (
    key_revocation_codes,
    merge_certificates,
    primary_fingerprint,
)
from pai_signer.domain.openpgp_secret import SecretKeyExport
from pai_signer.domain.openpgp_status import SignedBy, judge_signature
from pai_signer.domain.profile import Profile, parse_profile
from pai_signer.domain.receipt import Receipt, receipt_name, render_receipt_text
from pai_signer.domain.records import decode_record, encode_record
from pai_signer.domain.registry import Registry, published_files
from pai_signer.domain.reminders import reminders
from pai_signer.domain.tag import TagObject, parse_tag
from pai_signer.domain.tag_bundle import TagBundle
from pai_signer.domain.transition import Transition, render_transition
from pai_signer.domain.version import parse_version
from pai_signer.errors import (
    FormatError,
    JournalTampered,
    ToolError,
)
from pai_signer.ports import Medium
from tests.domain.test_openpgp import LISTING, NOW, PRIMARY
from tests.fuzzing.samples import (
    MESSAGE,
    lsblk_report,
    samples,
)
from tests.registries import BORN
from tests.registry_fuzz import real_key

# --- what an answer must keep -------------------------------------------------------------------


def check_inside(names: Iterable[str]) -> None:
    """Each name is one file in its folder: it leads nowhere else, and is no option."""
    for name in names:
        assert name not in {"", ".", ".."}, name
        assert not set(name) & set("/\\\0"), name
        assert not name.startswith("-"), name
        assert name.isprintable(), name
        assert os.path.normpath(os.path.join("/folder", name)) == f"/folder/{name}"  # noqa: PTH118


def check_record(answer: Any, data: bytes) -> None:
    assert encode_record(answer) == data


def check_manifest(answer: dict[str, str], data: bytes) -> None:
    assert manifest.render_manifest(answer) == data
    check_inside(answer)


def check_foreign(answer: ForeignManifest, data: bytes) -> None:
    assert answer.digests
    check_inside(answer.digests)
    assert all(is_sha256(digest) for digest in answer.digests.values())
    for digest in answer.digests.values():
        assert digest.encode() in data.lower()
    if not answer.leniencies:
        lines = sorted(manifest.render_manifest(answer.digests).splitlines())
        assert sorted(data.splitlines()) == lines


def check_live_sums(answer: dict[str, str], data: bytes) -> None:
    check_foreign(ForeignManifest(answer, ("any",)), data)


def check_live_refs(answer: dict[str, str], data: bytes) -> None:
    lines = {f"{oid}\t{ref}".encode() for ref, oid in answer.items()}
    assert lines == {line.removesuffix(b"\r") for line in data.split(b"\n") if line}


def check_minisig(answer: MinisignSignature, data: bytes) -> None:
    first = base64.b64encode(b"ED" + answer.key_id + answer.signature).decode()
    last = base64.b64encode(answer.comment_signature).decode()
    lines = (
        f"untrusted comment: {answer.untrusted_comment}",
        first,
        f"trusted comment: {answer.trusted_comment}",
        last,
    )
    assert "\n".join(lines).encode() == data.removesuffix(b"\n")
    for read in (file_in_comment, claims_in_comment):
        try:
            read(answer.trusted_comment)
        except FormatError:
            continue


def verified(data: bytes) -> str:
    digest = hashlib.blake2b(MESSAGE).digest()
    return CryptographyMinisignVerifier().verify(data, digest, real_key(2).public_key)


def check_verified(answer: str, data: bytes) -> None:
    """Only the comment that nobody signed may differ from the one signature that was made."""
    (whole, _) = samples()["minisig"]
    assert data.removesuffix(b"\n").split(b"\n")[1:] == whole.removesuffix(b"\n").split(b"\n")[1:]


def check_public_key(answer: MinisignPublicKey, data: bytes) -> None:
    assert data.removesuffix(b"\n").endswith(f"\n{answer.line}".encode())


def check_registry(answer: Registry, data: bytes) -> None:
    check_record(answer, data)
    check_inside(published_files({"registry.json": data}))
    for days in (0, 20_000):
        reminders(answer, profile(), BORN + timedelta(days=days))


def check_receipt(answer: Receipt, data: bytes) -> None:
    check_record(answer, data)
    shown = render_receipt_text(answer)
    assert all(line.isprintable() for line in shown.split("\n"))
    check_inside([receipt_name(answer.visit)])


def candidate(data: bytes) -> Candidate:
    return decode_record(data, Candidate, "candidate.json")


def check_journal(answer: tuple[JournalEntry, ...], data: bytes) -> None:
    assert b"".join(map(encode_entry, answer)) == data
    for read in (read_history, read_ledger):
        try:
            read(answer)
        except JournalTampered:
            continue


def check_profile(answer: Profile, data: bytes) -> None:
    version = parse_version("1.2.3")
    assert answer.version_of(answer.tag_of(version)) == version
    check_inside([answer.artifacts.manifest, answer.project.slug])


@functools.cache
def profile() -> Profile:
    return parse_profile(samples()["profile"][0])


class Image:
    """Counts what the inspection of an image reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.read_bytes = 0

    def __call__(self, offset: int, length: int) -> bytes:
        self.read_bytes += length
        return self._data[offset : offset + length]


def inspected(data: bytes) -> tuple[Finding, ...]:
    image = Image(data)
    found = inspect_iso(image, len(data), "amd64")
    assert image.read_bytes <= 3 << 20
    return found


def check_findings(answer: tuple[Finding, ...], data: bytes) -> None:
    assert answer
    assert all(finding.text.isprintable() for finding in answer)
    if len(data) < 24 * 2048 and data == samples()["iso"][0][: len(data)]:
        assert any(finding.level is FindingLevel.BAD for finding in answer)


@functools.cache
def listed() -> tuple[ListedCertificate, ...]:
    return parse_key_listing(LISTING.encode())


def judged(data: bytes) -> SignedBy:
    return judge_signature(data, listed(), [PRIMARY], NOW)


def check_judged(answer: SignedBy, data: bytes) -> None:
    assert answer.primary_fingerprint == PRIMARY
    assert b"\n[GNUPG:] VALIDSIG " in b"\n" + data
    assert b"\n[GNUPG:] GOODSIG " in b"\n" + data
    assert answer.created_at <= NOW


def key_listing(data: bytes) -> tuple[ListedCertificate, ...]:
    found = parse_key_listing(data)
    try:
        parse_keygrips(data)
    except ToolError:
        return found
    return found


def check_listing(answer: tuple[ListedCertificate, ...], data: bytes) -> None:
    for certificate in answer:
        for key in certificate.keys:
            assert re.fullmatch("[0-9A-F]{40}", key.fingerprint)
            assert key.algorithm.isprintable()
        assert all(user_id.isprintable() for user_id in certificate.user_ids)
        certificate.signing_key(NOW)


def listed_media(report: bytes, mounts: bytes) -> tuple[Medium, ...]:
    """What the program lists when the two tools say this."""

    def run(tool: str, *_: object, **__: object) -> Finished:
        return Finished(0, report if tool == "lsblk" else mounts, b"", b"")

    with mock.patch.object(media, "run", run):
        return media.SystemMedia().list()


def check_media(answer: tuple[Medium, ...], data: bytes) -> None:
    """The system's own filesystems are never offered as media, as long as they are told."""
    assert all(medium.size_bytes != 0 and medium.filesystem for medium in answer)
    if data == lsblk_report():
        assert [medium.device for medium in answer] == ["/dev/sdb1"]


def check_tag(answer: TagObject, data: bytes) -> None:
    assert answer.payload + answer.signature == data
    check_inside([answer.name])


def check_tag_bundle(answer: TagBundle, data: bytes) -> None:
    head = b"tag %d\0" % len(answer.tag_object)
    assert hashlib.sha1(head + answer.tag_object).hexdigest() == answer.tag_oid
    assert answer.ref_name == f"refs/tags/{answer.tag_name}"
    check_inside([answer.tag_name])


def check_header(answer: BundleHeader, data: bytes) -> None:
    for name, oid in answer.refs.items():
        assert re.fullmatch("[0-9a-f]{40}", oid)
        check_inside(name.split("/"))
        assert not set(name) & set(" ~^:?*[\\@{") or "@{" not in name


def transcript(data: bytes) -> Any:
    found = parse_transcript(data)
    assert all(line.isprintable() for line in render_transcript(found).split("\n"))
    return found


def check_endorsement(answer: Endorsement, data: bytes) -> None:
    check_record(answer, data)
    assert all(is_sha256(d) for r in answer.releases for d in r.files.values())


def check_transition(answer: Transition, data: bytes) -> None:
    assert render_transition(answer) == data
    check_inside([answer.name, *answer.signatures.values()])


def backup_manifest(data: bytes) -> dict[str, str]:
    return backup.parse_manifest(data, "PAI", rehearsal=False)


def check_backup_manifest(answer: dict[str, str], data: bytes) -> None:
    assert set(answer) <= backup.ALL_NAMES
    check_inside(answer)
    for other in (manifest.parse_manifest, manifest.parse_foreign_manifest, parse_tag):
        try:
            other(data)
        except FormatError:
            continue
        raise AssertionError("the manifest of a backup passes for something else")


def check_challenge(answer: Any, data: bytes) -> None:
    assert render_challenge(answer) == data
    for other in (manifest.parse_manifest, manifest.parse_foreign_manifest, parse_tag):
        try:
            other(data)
        except FormatError:
            continue
        raise AssertionError("a challenge passes for something else")


def check_secret(answer: SecretKeyExport, data: bytes) -> None:
    assert all(re.fullmatch("[0-9A-F]{40}", part.fingerprint) for part in answer.parts)
    assert all(re.fullmatch("[0-9a-f]{16}", salt) for salt in answer.salts)


def check_symmetric(answer: str, data: bytes) -> None:
    assert bytes.fromhex(answer) in data


def check_signature_packet(answer: bytes, data: bytes) -> None:
    assert base64.b64encode(answer) in data.replace(b"\n", b"")


def certificate(data: bytes) -> str:
    block = data.decode("ascii", "replace")
    merged = merge_certificates([block])
    primary_fingerprint(block)
    key_revocation_codes(block)
    return merged


def check_certificate(answer: str, data: bytes) -> None:
    assert merge_certificates([answer, data.decode()]) == answer


def check_revocations(answer: dict[str, bytes], data: bytes) -> None:
    assert backup.pack_revocations(answer) == data


def noted(data: bytes) -> NotedHead:
    return parse_noted_head(data.decode("utf-8", "replace"))


def check_noted(answer: NotedHead, data: bytes) -> None:
    assert answer.n > 0
    assert NOTED_BYTES <= len(answer.digest) <= 32


def no_check(answer: Any, data: bytes) -> None:
    """The format has several spellings, and the answer no form of its own."""
