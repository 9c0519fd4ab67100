"""Say for ever of an old release that it was published without signatures (KEY-2).

Only for releases from before there were keys, as PAI v0.1.0: with the digest of its
published manifest in the signed registry, whoever verifies it learns why there is no
signature, and whether the checksums are at least the published ones.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.manifest import MAX_MANIFEST_BYTES, parse_manifest
from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Registry, UnsignedRelease
from pai_signer.domain.registry_rules import expect_no_signature
from pai_signer.errors import PolicyRefused, UsageError
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Outcome,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.sign_registry import sign_and_store
from pai_signer.workflows.keys.signer_passphrases import MinisignPassphrase, OpenPgpPassphrase
from pai_signer.workflows.pick_directory import checked_directory
from pai_signer.workflows.workbench import Workbench

DECLARED: Final = "release.declared-unsigned"


class DeclareState(Record, frozen=True, kw_only=True):
    """Where it stands. ``manifest_sha256`` is empty where the manifest is not at hand."""

    version: str
    manifest_asked: bool = False
    manifest_sha256: str = ""
    reason: str = ""
    confirmed: bool = False
    declared: bool = False


def declare_unsigned(bench: Workbench, version: str = "") -> Workflow[DeclareState]:
    """Build the workflow; ``PolicyRefused`` for a release that was signed, or without keys."""
    if not any(key.can_sign for key in bench.registry().keys):
        raise PolicyRefused(
            "KEY-2/nobody-to-sign",
            "There is no key that could sign the registry.",
            "Generate the keys first: pai-signer key generate",
        )
    if version:
        version = _checked_version(bench, version)

    def is_over(state: DeclareState) -> bool:
        return _is_over(bench, state)

    def nobody_ends(_state: DeclareState) -> str:
        return ""

    minisign: Step[DeclareState] = MinisignPassphrase(bench, nobody_ends, is_over)
    openpgp: Step[DeclareState] = OpenPgpPassphrase(bench, nobody_ends, is_over)
    return Workflow(
        name="declare-unsigned",
        key=version,
        title="A release that was never signed",
        start=DeclareState(version=version),
        steps=(
            _Version(bench),
            _Manifest(bench),
            _Reason(bench),
            _Confirm(bench),
            minisign,
            openpgp,
            _Declare(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
    )


def _checked_version(bench: Workbench, text: str) -> str:
    version = bench.release_name(text)
    if bench.history().find(version) is not None:
        raise PolicyRefused(
            "KEY-2/was-signed",
            f"{version} was signed on this workstation.",
            "Only a release that was published before there were keys has no signature.",
        )
    return version


def _is_over(bench: Workbench, state: DeclareState) -> bool:
    """The registry decides: a crash may have come right after it was stored."""
    return state.declared or (
        state.confirmed and bench.registry().unsigned_release(state.version) is not None
    )


def _confirmation(state: DeclareState) -> str:
    """The session's note of what was confirmed in this sitting: these words and no others."""
    return f"unsigned {state.version}, {state.manifest_sha256}: {state.reason}"


class _DeclareStep(Step[DeclareState]):
    unchanged = "Nothing was signed, and the registry is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _Version(_DeclareStep):
    id = "version"
    title = "Release"

    def done(self, state: DeclareState) -> bool:
        return bool(state.version)

    def question(self, state: DeclareState) -> Question:
        return TypedText("version", "Which release was published without signatures (vX.Y.Z)?")

    def act(self, state: DeclareState, answer: Answer, progress: Progress) -> DeclareState:
        version = _checked_version(self._bench, str(answer))
        return msgspec.structs.replace(state, version=version)


class _Manifest(_DeclareStep):
    """Its published checksums, so that no others pass for them."""

    id = "manifest"
    title = "Published checksums"

    def done(self, state: DeclareState) -> bool:
        return state.manifest_asked

    def question(self, state: DeclareState) -> Question:
        name = self._bench.profile.artifacts.manifest
        return TypedText(
            "manifest",
            f"Path of its {name} as it was published (empty: it is lost)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: DeclareState, answer: Answer, progress: Progress) -> DeclareState:
        digest = self._digest(str(answer).strip()) if str(answer).strip() else ""
        return msgspec.structs.replace(state, manifest_asked=True, manifest_sha256=digest)

    def _digest(self, text: str) -> str:
        path = Path(checked_directory(text))
        with self._bench.sources.open(path.parent) as folder:
            data = folder.read_small(path.name, MAX_MANIFEST_BYTES)
        parse_manifest(data)
        return hashlib.sha256(data).hexdigest()


class _Reason(_DeclareStep):
    id = "reason"
    title = "Reason"

    def done(self, state: DeclareState) -> bool:
        return bool(state.reason)

    def question(self, state: DeclareState) -> Question:
        return TypedText(
            "reason",
            "Why has it no signature? One line for everybody to read",
            refusal=UsageError(
                "KEY-2/no-reason",
                "There is no reason why the release has no signature.",
                "Give it: --reason 'published before there were keys'",
            ),
        )

    def act(self, state: DeclareState, answer: Answer, progress: Progress) -> DeclareState:
        stated = msgspec.structs.replace(state, reason=str(answer).strip())
        _following(self._bench, stated)  # what the registry would refuse is refused here
        return stated


class _Confirm(_DeclareStep):
    """Read it once more: it stands for ever. A saved state alone proves that nobody did (REV-1)."""

    id = "confirm"
    title = "Confirm"

    def done(self, state: DeclareState) -> bool:
        is_read = state.confirmed and _confirmation(state) in self._bench.session
        return is_read or _is_over(self._bench, state)

    def pages(self, state: DeclareState) -> Sequence[Page]:
        checksums = (
            digest_lines("its manifest, SHA-256", state.manifest_sha256)
            if state.manifest_sha256
            else (Line("not known: nothing will show the published files", mark=Mark.WARN),)
        )
        lines = (
            Line(state.version, label="release"),
            Line(state.reason, label="no signature because"),
            *checksums,
            Line(),
            Line(
                "This stays in the registry for ever. A signature that is stripped from a signed "
                "release is never excused by it."
            ),
        )
        return (Page("What the registry will say", lines),)

    def question(self, state: DeclareState) -> Question:
        return TypedText(
            "confirm",
            f"Type {state.version} to put it into the registry",
            must_equal=state.version,
            refusal=UsageError(
                "KEY-2/not-confirmed",
                "It was not confirmed.",
                f"Read the page, then give --confirm {state.version}.",
            ),
        )

    def act(self, state: DeclareState, answer: Answer, progress: Progress) -> DeclareState:
        self._bench.session.note(_confirmation(state))
        return msgspec.structs.replace(state, confirmed=True)


class _Declare(_DeclareStep):
    """Sign and store the registry that says so."""

    id = "declare"
    title = "Registry"
    commit_point = True

    def done(self, state: DeclareState) -> bool:
        return state.declared

    def question(self, state: DeclareState) -> Question:
        return Automatic("declare")

    def act(self, state: DeclareState, answer: Answer, progress: Progress) -> DeclareState:
        bench = self._bench
        if not _is_over(bench, state):
            check_clock(bench, NOT_COMPARED)
            release = _release(state)
            facts = {
                "version": release.version,
                "reason": release.reason,
                "manifest_sha256": release.manifest_sha256,
                "command": f"release unsigned {release.version}",
            }
            sign_and_store(bench, _following(bench, state), DECLARED, facts)
        progress.say(Line("the registry is signed", mark=Mark.OK))
        return msgspec.structs.replace(state, declared=True)


def _release(state: DeclareState) -> UnsignedRelease:
    return UnsignedRelease(
        version=state.version,
        reason=state.reason,
        manifest_sha256=state.manifest_sha256 or None,
    )


def _following(bench: Workbench, state: DeclareState) -> Registry:
    return expect_no_signature(bench.registry(), _release(state), now=bench.clock.now())


def _outcome(bench: Workbench, state: DeclareState) -> Outcome:
    lines = (
        Line(f"{state.version}: no signature is expected", mark=Mark.OK),
        Line(),
        Line("Next: publish the keys (key publish DIR)."),
    )
    data = {
        "version": state.version,
        "reason": state.reason,
        "manifest_sha256": state.manifest_sha256 or None,
        "registry_serial": bench.registry().serial,
    }
    return Outcome((Page("The registry says so", lines),), data)
