"""The table of everything a person can do: one entry, both faces (FACE-1).

The app's menu and the command line's commands are made from the same entries,
so what one face can do the other can; a test walks the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

from pai_signer.domain.history import Visited
from pai_signer.domain.revocation import RevokeReason
from pai_signer.errors import SignerError, UsageError
from pai_signer.workflows.ceremony.frame import print_script
from pai_signer.workflows.ceremony.records import (
    export_ceremonies,
    list_ceremonies,
    show_ceremony,
)
from pai_signer.workflows.check_journal import verify_journal
from pai_signer.workflows.custody.accept_attestation import accept_attestation
from pai_signer.workflows.custody.backup_status import backup_status
from pai_signer.workflows.custody.create_backup import create_backup
from pai_signer.workflows.custody.lost import lost
from pai_signer.workflows.custody.paper_backup import paper_backup
from pai_signer.workflows.custody.restore import restore_backup
from pai_signer.workflows.custody.session import backup_session, session_script
from pai_signer.workflows.custody.verify_backup import verify_backup
from pai_signer.workflows.engine import Conversation, Origin, Workflow
from pai_signer.workflows.export_journal import export_journal
from pai_signer.workflows.keys.add_keys import (
    generate_keys,
    generation_script,
    import_key,
    import_script,
)
from pai_signer.workflows.keys.declare_unsigned import declare_unsigned
from pai_signer.workflows.keys.drill import prepare_drill
from pai_signer.workflows.keys.export_revocations import export_revocations
from pai_signer.workflows.keys.extend_gpg import extend_gpg
from pai_signer.workflows.keys.publish_keys import publish_keys
from pai_signer.workflows.keys.revoke_key import plan as revocation_plan
from pai_signer.workflows.keys.revoke_key import revocation_steps, revoke_key
from pai_signer.workflows.keys.rotate_gpg import OpenPgpRotation
from pai_signer.workflows.keys.rotate_minisign import MinisignRotation
from pai_signer.workflows.keys.rotation import rotation, rotation_script
from pai_signer.workflows.keys.rotation_system import Reason
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN, SystemName
from pai_signer.workflows.release.collect_codes import collect_codes
from pai_signer.workflows.release.confirm_release import confirm_release
from pai_signer.workflows.release.deprecate_release import deprecate_release
from pai_signer.workflows.release.export_release import export_release
from pai_signer.workflows.release.import_questions import DIGEST
from pai_signer.workflows.release.import_release import import_release
from pai_signer.workflows.release.show_qr import show_qr
from pai_signer.workflows.release.sign_index import sign_index
from pai_signer.workflows.release.sign_release import WAIVE, sign_release
from pai_signer.workflows.show import list_releases, show_key, show_keys, show_release
from pai_signer.workflows.verify.verify_release import verify_folder
from pai_signer.workflows.workbench import Workbench

Arguments = Mapping[str, str]
Build = Callable[[Workbench, Arguments], Workflow[Any]]


class Group(Enum):
    """Where the app's menus show an entry: on Home itself, or on a screen of its group."""

    HOME = ""
    RELEASES = "Releases"
    KEYS = "Keys"
    BACKUPS = "Backups"
    CEREMONIES = "Ceremonies"
    SCRIPTS = "Ceremonies on paper"


@dataclass(frozen=True)
class Entry:
    """One thing to do, and the command that does the same."""

    id: str
    label: str
    command: str
    build: Build
    group: Group = Group.HOME


def _build_sign(bench: Workbench, arguments: Arguments) -> Workflow[Any]:
    what = cast("Visited", arguments.get("what", "all"))
    waivers = _named(arguments, WAIVE)
    return sign_release(bench, arguments["version"], what, waivers)


def _build_import(bench: Workbench, arguments: Arguments) -> Workflow[Any]:
    return import_release(
        bench,
        arguments.get("directory", ""),
        arguments.get("version", ""),
        commit=arguments.get("commit"),
        second_directory=arguments.get("second", ""),
        digests=_named(arguments, DIGEST),
    )


def _named(arguments: Arguments, prefix: str) -> dict[str, str]:
    """The arguments ``PREFIXname`` by name."""
    return {
        key.removeprefix(prefix): value
        for key, value in arguments.items()
        if key.startswith(prefix)
    }


def _build_generate(bench: Workbench, arguments: Arguments) -> Workflow[Any]:
    return generate_keys(bench, _only(arguments))


def _only(arguments: Arguments) -> SystemName | None:
    return cast("SystemName | None", arguments.get("only"))


def _reason(arguments: Arguments) -> Reason:
    return cast("Reason", arguments.get("reason", "scheduled"))


def _build_revoke(bench: Workbench, arguments: Arguments) -> Workflow[Any]:
    reason = cast("RevokeReason | None", arguments.get("reason"))
    key_id = arguments.get("id", "").replace(" ", "")
    return revoke_key(bench, key_id, reason, arguments.get("certificate", ""))


CATALOGUE: Final = (
    Entry(
        "release.import",
        "Import a release from a medium",
        "release import",
        _build_import,
    ),
    Entry("release.sign", "Review and sign", "release sign", _build_sign),
    Entry(
        "release.export",
        "Export to a medium",
        "release export",
        lambda bench, a: export_release(bench, a["version"], a.get("directory", "")),
    ),
    Entry(
        "release.confirm",
        "Confirm what is published",
        "release confirm",
        lambda bench, a: confirm_release(bench, a.get("version", ""), a.get("directory", "")),
    ),
    Entry(
        "release.qr",
        "Signatures as QR codes",
        "release qr",
        lambda bench, a: show_qr(bench, a.get("version", "")),
    ),
    Entry(
        "release.show",
        "Receipts of a release",
        "release show",
        lambda bench, a: show_release(bench, a.get("version", "")),
        group=Group.RELEASES,
    ),
    Entry(
        "release.unsigned",
        "A release that was never signed",
        "release unsigned",
        lambda bench, a: declare_unsigned(bench, a.get("version", "")),
        group=Group.RELEASES,
    ),
    Entry(
        "release.deprecate",
        "Deprecate a release",
        "release deprecate",
        lambda bench, a: deprecate_release(
            bench,
            a.get("version", ""),
            a.get("replacement", ""),
            a.get("reason", ""),
            a.get("directory", ""),
        ),
        group=Group.RELEASES,
    ),
    Entry(
        "release.index",
        "Sign and publish the release index",
        "release index",
        lambda bench, a: sign_index(bench, a.get("directory", "")),
        group=Group.RELEASES,
    ),
    Entry(
        "release.list",
        "All releases",
        "release list",
        lambda bench, _: list_releases(bench),
        group=Group.RELEASES,
    ),
    Entry("key.list", "The keys", "key list", lambda bench, _: show_keys(bench), group=Group.KEYS),
    Entry(
        "key.show",
        "One key in full",
        "key show",
        lambda bench, a: show_key(bench, a.get("id", "")),
        group=Group.KEYS,
    ),
    Entry("key.generate", "Generate keys", "key generate", _build_generate, group=Group.CEREMONIES),
    Entry(
        "key.generate.script",
        "Script of a key generation, to print",
        "key generate --script",
        lambda bench, a: generation_script(bench, _only(a)),
        group=Group.SCRIPTS,
    ),
    Entry(
        "key.import.minisign",
        "Import a minisign key",
        "key import --minisign",
        lambda bench, a: import_key(bench, MINISIGN, a.get("file", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.import.gpg",
        "Import an OpenPGP key",
        "key import --gpg",
        lambda bench, a: import_key(bench, GPG, a.get("file", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.import.script",
        "Script of a key import, to print",
        "key import --script",
        lambda bench, a: import_script(bench, cast("SystemName", a.get("system", MINISIGN))),
        group=Group.SCRIPTS,
    ),
    Entry(
        "key.extend",
        "Extend the OpenPGP key",
        "key extend",
        lambda bench, a: extend_gpg(bench, a.get("until", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.rotate.minisign",
        "Rotate the minisign key",
        "key rotate minisign",
        lambda bench, a: rotation(MinisignRotation(bench), _reason(a), a.get("certificate", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.rotate.minisign.script",
        "Script of a minisign rotation, to print",
        "key rotate minisign --script",
        lambda bench, a: rotation_script(MinisignRotation(bench), _reason(a)),
        group=Group.SCRIPTS,
    ),
    Entry(
        "key.rotate.gpg",
        "Rotate the OpenPGP key",
        "key rotate gpg",
        lambda bench, a: rotation(OpenPgpRotation(bench), _reason(a), a.get("certificate", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.rotate.gpg.script",
        "Script of an OpenPGP rotation, to print",
        "key rotate gpg --script",
        lambda bench, a: rotation_script(OpenPgpRotation(bench), _reason(a)),
        group=Group.SCRIPTS,
    ),
    Entry(
        "key.revoke",
        "Revoke a key",
        "key revoke",
        _build_revoke,
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.revoke.script",
        "Script of a revocation, to print",
        "key revoke --script",
        lambda bench, _: print_script(
            bench, revocation_plan(), revocation_steps(bench, revocation_plan())
        ),
        group=Group.SCRIPTS,
    ),
    Entry(
        "key.drill",
        "Prepare for a compromise",
        "key drill",
        lambda bench, a: prepare_drill(bench, a.get("directory", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "key.revocations",
        "Carry out the revocation certificates",
        "key revocations",
        lambda bench, a: export_revocations(bench, a.get("directory", "")),
        group=Group.KEYS,
    ),
    Entry(
        "ceremony.list",
        "The ceremonies that were held",
        "ceremony list",
        lambda bench, _: list_ceremonies(bench),
        group=Group.CEREMONIES,
    ),
    Entry(
        "ceremony.show",
        "Transcript of a ceremony",
        "ceremony show",
        lambda bench, a: show_ceremony(bench, a.get("ceremony", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "ceremony.export",
        "Carry out the transcripts",
        "ceremony export",
        lambda bench, a: export_ceremonies(bench, a.get("directory", "")),
        group=Group.CEREMONIES,
    ),
    Entry(
        "backup.create",
        "Make a backup",
        "backup create",
        lambda bench, a: create_backup(bench, a.get("custodian", ""), a.get("directory", "")),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.verify",
        "Prove that a backup works",
        "backup verify",
        lambda bench, a: verify_backup(bench, a.get("custodian", ""), a.get("directory", "")),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.session",
        "Two maintainers prove theirs",
        "backup session",
        lambda bench, a: backup_session(
            bench, a.get("first", ""), a.get("second", ""), a.get("export", "")
        ),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.session.script",
        "Script of a session of two, to print",
        "backup session --script",
        lambda bench, _: session_script(bench),
        group=Group.SCRIPTS,
    ),
    Entry(
        "backup.status",
        "What is proved, and until when",
        "backup status",
        lambda bench, _: backup_status(bench),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.accept",
        "Accept another workstation's attestation",
        "backup accept",
        lambda bench, a: accept_attestation(bench, a.get("directory", "")),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.lost.medium",
        "A medium is lost or damaged",
        "backup lost medium",
        lambda bench, _: lost(bench, "medium"),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.lost.passphrase",
        "A passphrase is lost",
        "backup lost passphrase",
        lambda bench, _: lost(bench, "passphrase"),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.lost.maintainer",
        "A maintainer is gone",
        "backup lost maintainer",
        lambda bench, _: lost(bench, "maintainer"),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.restore",
        "Restore this workstation from a backup",
        "backup restore",
        lambda bench, a: restore_backup(bench, a.get("directory", "")),
        group=Group.BACKUPS,
    ),
    Entry(
        "backup.paper",
        "Put a backup on paper",
        "backup paper",
        lambda bench, a: paper_backup(
            bench, a.get("source", ""), a.get("directory", ""), a.get("set", "")
        ),
        group=Group.BACKUPS,
    ),
    Entry(
        "key.publish",
        "Publish the public keys",
        "key publish",
        lambda bench, a: publish_keys(bench, a.get("directory", "")),
        group=Group.KEYS,
    ),
    Entry(
        "verify",
        "Verify a release folder",
        "verify",
        lambda bench, a: verify_folder(
            bench.sources, bench.verifiers, a.get("directory", ""), a.get("keys", "")
        ),
    ),
    Entry(
        "release.collect",
        "Join scanned QR codes",
        "release collect",
        lambda bench, a: collect_codes(
            bench.sources, bench.destinations, a.get("scans", ""), a.get("directory", "")
        ),
    ),
    Entry(
        "journal.verify",
        "Verify the journal",
        "journal verify",
        lambda bench, a: verify_journal(bench, a.get("receipt"), a.get("head")),
    ),
    Entry(
        "journal.export",
        "Export the journal",
        "journal export",
        lambda bench, a: export_journal(bench, a.get("directory", "")),
    ),
)


def entry(entry_id: str) -> Entry:
    """The entry of this ID; ``UsageError`` if there is none."""
    for candidate in CATALOGUE:
        if candidate.id == entry_id:
            return candidate
    raise UsageError("FACE-1/unknown", f"There is no action {entry_id!r}.", "Choose another one.")


def begin(bench: Workbench, entry_id: str, arguments: Arguments) -> Conversation[Any]:
    """Start the conversation of an entry, or resume the saved one of the same piece of work."""
    try:
        workflow = entry(entry_id).build(bench, arguments)
    except SignerError as error:
        if error.unchanged is None:
            error.unchanged = "Nothing was begun: what is in the vault is as it was."
        raise
    origin = Origin(entry_id, dict(arguments))
    return Conversation(workflow, bench.states, bench.session, origin)
