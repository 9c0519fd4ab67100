"""Every parser of bytes from outside: the one table that the fuzzing is made from."""

import functools
from collections.abc import Callable
from typing import Any, Final

from pai_signer.domain import backup, manifest
from pai_signer.domain.attestation import parse_attestation
from pai_signer.domain.bundle_header import parse_bundle_header
from pai_signer.domain.challenge import parse_challenge
from pai_signer.domain.confirmation import parse_live_refs, parse_live_sums
from pai_signer.domain.endorsement import parse_endorsement
from pai_signer.domain.journal import parse_journal
from pai_signer.domain.minisig import (
    parse_public_key_file,
    parse_signature,
    secret_key_salt,
)
from pai_signer.domain.openpgp_armor import parse_armored_signature
from pai_signer.domain.openpgp_secret import parse_secret_key, symmetric_salt
from pai_signer.domain.openpgp_signatures import parse_signature_listing
from pai_signer.domain.pdf import read_pdf
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.receipt import parse_receipt
from pai_signer.domain.registry import parse_registry
from pai_signer.domain.tag import parse_tag
from pai_signer.domain.tag_bundle import parse_tag_bundle
from pai_signer.domain.transition import parse_transition
from pai_signer.domain.vault_info import parse_vault_info
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    FormatError,
    JournalTampered,
    PolicyRefused,
    SignerError,
    ToolError,
    UntrustedKey,
    UsageError,
)
from tests.fuzzing import answers, shells
from tests.fuzzing.engine import Target
from tests.fuzzing.mutations import spoilt_tree
from tests.fuzzing.samples import (
    SIDE_FILE_OF,
    findmnt_report,
    lsblk_report,
    samples,
)

_FORMAT: Final = (FormatError,)


# --- the table ----------------------------------------------------------------------------------

_TREE: Final = (spoilt_tree,)
_ARMORED_SIGNATURE: Final = shells.armor("PGP SIGNATURE")


def _target(
    name: str,
    parse: Callable[[bytes], Any],
    check: Callable[[Any, bytes], None],
    refusals: tuple[type[SignerError], ...] = _FORMAT,
    **more: Any,
) -> Target:
    seeds = samples()[more.pop("sample", name)]
    return Target(name, parse, seeds, refusals, check, **more)


@functools.cache
def targets() -> tuple[Target, ...]:
    """All of them."""
    side = functools.partial(manifest.parse_foreign_manifest, only_name=SIDE_FILE_OF)
    lines = (b"  ", b" *", b"\\", b"SHA256 (", b") = ", b"# ", b"a" * 64, b"../x", b"\r\n")
    signers = (shells.base64_line(1), shells.base64_line(3))
    gpg = (ToolError, FormatError)
    judged = (BadSignature, UntrustedKey, CannotTell)
    return (
        _target("manifest", manifest.parse_manifest, answers.check_manifest, tokens=lines),
        _target("checksums", manifest.parse_foreign_manifest, answers.check_foreign, tokens=lines),
        _target("side-file", side, answers.check_foreign, tokens=lines),
        _target("live-list", parse_live_sums, answers.check_live_sums, tokens=lines),
        _target("live-tag", parse_live_refs, answers.check_live_refs, tokens=(b"\t", b"^{}\n")),
        _target("minisig", parse_signature, answers.check_minisig, mutators=signers),
        _target(
            "minisig-verified",
            answers.verified,
            answers.check_verified,
            (FormatError, BadSignature, UntrustedKey),
            sample="minisig",
            mutators=signers,
        ),
        _target(
            "minisign-public",
            parse_public_key_file,
            answers.check_public_key,
            mutators=(shells.base64_line(1),),
        ),
        _target(
            "minisign-secret", secret_key_salt, answers.no_check, mutators=(shells.base64_line(1),)
        ),
        _target("registry", parse_registry, answers.check_registry, mutators=_TREE),
        _target("receipt", parse_receipt, answers.check_receipt, mutators=_TREE),
        _target("candidate", answers.candidate, answers.check_record, mutators=_TREE),
        _target("vault", parse_vault_info, answers.check_record, mutators=_TREE),
        _target(
            "journal",
            parse_journal,
            answers.check_journal,
            (JournalTampered,),
            mutators=(
                shells.repaired(shells.chained),
                shells.rechained_tree,
                shells.rechained_tree,
            ),
        ),
        _target("profile", parse_profile, answers.check_profile, tokens=shells.TOML),
        _target("iso", answers.inspected, answers.check_findings, ()),
        _target(
            "gpg-status", answers.judged, answers.check_judged, judged, tokens=shells.STATUS_WORDS
        ),
        _target(
            "gpg-keys",
            answers.key_listing,
            answers.check_listing,
            gpg,
            tokens=(b":", b"uid:", b"\\x3a"),
        ),
        _target(
            "gpg-signatures",
            parse_signature_listing,
            answers.no_check,
            (ToolError,),
            tokens=(b":", b"rev:!", b"\\x00"),
        ),
        _target(
            "lsblk",
            lambda data: answers.listed_media(data, findmnt_report()),
            answers.check_media,
            (ToolError,),
            mutators=_TREE,
        ),
        _target(
            "findmnt",
            lambda data: answers.listed_media(lsblk_report(), data),
            answers.check_media,
            (ToolError,),
            mutators=_TREE,
        ),
        _target("tag", parse_tag, answers.check_tag),
        _target(
            "tag-bundle",
            parse_tag_bundle,
            answers.check_tag_bundle,
            mutators=(shells.repaired(shells.packed),),
        ),
        _target(
            "bundle-header",
            parse_bundle_header,
            answers.check_header,
            tokens=(b"refs/heads/", b"@filter=x\n", b"-", b"--x", b".lock", b"@{", b"/", b"\n\n"),
        ),
        _target("transcript", answers.transcript, answers.check_record, mutators=_TREE),
        _target("endorsement", parse_endorsement, answers.check_endorsement, mutators=_TREE),
        _target("transition", parse_transition, answers.check_transition),
        _target(
            "backup-manifest", answers.backup_manifest, answers.check_backup_manifest, tokens=lines
        ),
        _target("backup-facts", backup.parse_facts, answers.check_record, mutators=_TREE),
        _target("challenge", parse_challenge, answers.check_challenge),
        _target("attestation", parse_attestation, answers.check_record, mutators=_TREE),
        _target(
            "openpgp-secret",
            parse_secret_key,
            answers.check_secret,
            (FormatError, PolicyRefused),
            mutators=(shells.armor("PGP PRIVATE KEY BLOCK"),),
        ),
        _target(
            "openpgp-symmetric", symmetric_salt, answers.check_symmetric, tokens=shells.PACKETS
        ),
        _target(
            "openpgp-signature",
            parse_armored_signature,
            answers.check_signature_packet,
            mutators=(_ARMORED_SIGNATURE,),
        ),
        _target(
            "openpgp-certificate",
            answers.certificate,
            answers.check_certificate,
            mutators=(shells.armor("PGP PUBLIC KEY BLOCK"),),
        ),
        _target(
            "revocations",
            backup.unpack_revocations,
            answers.check_revocations,
            mutators=(shells.repaired(shells.summed_tar, shells.TAR),),
        ),
        _target("noted-head", answers.noted, answers.check_noted, (UsageError, FormatError)),
        _target(
            "pdf", read_pdf, answers.no_check, tokens=(b"BT /F1 ", b" re f\n", b"stream\n", b"\\(")
        ),
    )
