"""Deprecate a release: the notice, the "latest" pointer, the known issue, signed (VER-2).

"A published checksum is a contract": nothing that was published is removed or signed anew.
The decision goes into the journal and the release index; from them come the texts, which are
signed like a manifest and carried out for the online side.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain.deprecation import (
    GUIDE_NAME,
    LATEST_NAME,
    check_can_end,
    check_can_replace,
    checked_reason,
    issue_name,
    latest_of,
    notice_name,
    render_guide,
)
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX
from pai_signer.domain.release_index import (
    DEPRECATED,
    INDEX_NAME,
    DeprecatedFacts,
    Fact,
    Listed,
    extended,
    listed,
)
from pai_signer.errors import UsageError
from pai_signer.workflows.carry_out import CarryOut, CarryOutState, carry_out_steps
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
from pai_signer.workflows.pick_directory import given_directory
from pai_signer.workflows.release.index_files import (
    check_can_sign,
    index_now,
    is_current,
    passphrase_steps,
    publishable,
    sign_index_files,
)
from pai_signer.workflows.workbench import Workbench

NOTICE_EXPORTED: Final = "release.deprecation-exported"
CARRY_OUT: Final = CarryOut(
    title="Carry out",
    purpose="Where to write the notice, for the online machine?",
    instead="nowhere now; it is carried out later",
    unchanged="What was signed is in the vault.",
)


class DeprecateState(CarryOutState, frozen=True, kw_only=True):
    """Where it stands; the notice is carried out at once, or later."""

    version: str = ""
    replacement: str = ""
    reason: str = ""
    confirmed: bool = False
    signed: bool = False
    folder: str = ""
    written: tuple[str, ...] = ()


def deprecate_release(
    bench: Workbench,
    version: str = "",
    replacement: str = "",
    reason: str = "",
    directory: str = "",
) -> Workflow[DeprecateState]:
    """Build the workflow; a release that is deprecated already can be carried out again.

    Whoever names all three, release, replacement and reason, has decided; else it is asked.
    Raises ``PolicyRefused`` for a replacement that is not signed or not current, and for a
    second, different deprecation; ``UsageError`` for a release that nobody knows.
    """
    check_can_sign(bench)
    state = DeprecateState(directory=given_directory(directory))
    if version:
        state = _with_version(bench, state, bench.release_name(version), replacement)
    if replacement and version and not state.replacement:
        state = _with_replacement(bench, state, bench.release_name(replacement))
    if reason and not state.reason:
        state = msgspec.structs.replace(state, reason=checked_reason(reason))
    given = ""
    if version and replacement and reason:
        state = msgspec.structs.replace(state, confirmed=True)
        given = _confirmation(state)

    def is_over(now: DeprecateState) -> bool:
        return now.signed or (_is_recorded(bench, now) and is_current(bench, index_now(bench)))

    return Workflow(
        name="deprecate-release",
        key=state.version,
        title="Deprecate a release",
        start=state,
        steps=(
            _Version(bench),
            _Replacement(bench),
            _Reason(bench),
            _Confirm(bench, given),
            *passphrase_steps(bench, is_over),
            _Deprecate(bench),
            *carry_out_steps(bench.media, CARRY_OUT),
            _Write(bench),
        ),
        outcome=lambda now: _outcome(bench, now),
    )


def endable(bench: Workbench) -> list[str]:
    """The releases that could be deprecated, newest first: another one has to be current."""
    releases = _releases(bench)
    good = [v for v, release in releases.items() if release.can_replace]
    return [
        version
        for version, release in reversed(releases.items())
        if not release.is_deprecated and any(other != version for other in good)
    ]


def _releases(bench: Workbench) -> Listed:
    return listed(index_now(bench))


def _with_version(
    bench: Workbench, state: DeprecateState, version: str, replacement: str = ""
) -> DeprecateState:
    releases = _releases(bench)
    known = releases.get(version)
    entry = known.deprecation if known is not None else None
    if entry is not None and replacement and bench.release_name(replacement) == entry.replacement:
        replacement = ""
    if entry is None or replacement:
        check_can_end(releases, version)
        return msgspec.structs.replace(state, version=version)
    # It was decided already: what is left is to sign what was not signed, and to carry it out.
    return msgspec.structs.replace(
        state,
        version=version,
        replacement=entry.replacement or "",
        reason=entry.reason,
        confirmed=True,
    )


def _with_replacement(bench: Workbench, state: DeprecateState, replacement: str) -> DeprecateState:
    check_can_replace(_releases(bench), state.version, replacement)
    return msgspec.structs.replace(state, replacement=replacement)


def _confirmation(state: DeprecateState) -> str:
    """The session's note of what was confirmed in this sitting: these words and no others."""
    return f"deprecate {state.version}, see {state.replacement}: {state.reason}"


def _is_recorded(bench: Workbench, state: DeprecateState) -> bool:
    """The journal decides: a crash may have come right after the entry."""
    release = _releases(bench).get(state.version)
    return release is not None and release.is_deprecated


class _DeprecateStep(Step[DeprecateState]):
    unchanged = "Nothing was deprecated, and nothing was signed."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _Version(_DeprecateStep):
    id = "version"
    title = "Release"

    def done(self, state: DeprecateState) -> bool:
        return bool(state.version)

    def question(self, state: DeprecateState) -> Question:
        return TypedText("version", "Which release shall users leave (vX.Y.Z)?")

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        version = self._bench.release_name(str(answer))
        check_can_end(_releases(self._bench), version)
        return msgspec.structs.replace(state, version=version)


class _Replacement(_DeprecateStep):
    """Only a release that is signed here, and that is not deprecated itself."""

    id = "replacement"
    title = "Replacement"

    def done(self, state: DeprecateState) -> bool:
        return bool(state.replacement)

    def question(self, state: DeprecateState) -> Question:
        return TypedText("replacement", f"Which release shall users of {state.version} take?")

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        return _with_replacement(self._bench, state, self._bench.release_name(str(answer)))


class _Reason(_DeprecateStep):
    id = "reason"
    title = "Reason"

    def done(self, state: DeprecateState) -> bool:
        return bool(state.reason)

    def question(self, state: DeprecateState) -> Question:
        return TypedText("reason", f"What is wrong with {state.version}? One line for everybody")

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        return msgspec.structs.replace(state, reason=checked_reason(str(answer)))


class _Confirm(_DeprecateStep):
    """Read it once more: it stands for ever. A saved state alone proves that nobody did (REV-1)."""

    id = "confirm"
    title = "Confirm"

    def __init__(self, bench: Workbench, given: str) -> None:
        super().__init__(bench)
        #: What was confirmed by arguments; a resumed state may hold other words.
        self._given = given

    def done(self, state: DeprecateState) -> bool:
        if state.signed or not state.confirmed:
            return state.signed
        words = _confirmation(state)
        is_read = words == self._given or words in self._bench.session
        return is_read or _is_recorded(self._bench, state)

    def pages(self, state: DeprecateState) -> Sequence[Page]:
        bench = self._bench
        fact = Fact(
            event="deprecated",
            at=bench.clock.now(),
            version=state.version,
            replacement=state.replacement,
            reason=state.reason,
        )
        planned = listed(extended(index_now(bench), (fact,)))
        latest = latest_of(planned, bench.profile)
        before = latest_of(_releases(bench), bench.profile)
        moves = "" if before == latest or before is None else f", until now {before.version}"
        lines = (
            Line(f"DEPRECATED, see {state.replacement}", label=state.version, mark=Mark.WARN),
            Line(state.reason, label="because"),
            Line(f"{latest.version}{moves}" if latest else "none", label="latest is then"),
            Line(),
            Line(
                "This stays in the release index for ever. Nothing is removed: the files of "
                f"{state.version} stay where they are, and verify as before."
            ),
        )
        return (Page("What everybody will read", lines),)

    def question(self, state: DeprecateState) -> Question:
        return TypedText(
            "confirm",
            f"Type {state.version} to deprecate it",
            must_equal=state.version,
            refusal=UsageError(
                "VER-2/not-confirmed",
                "It was not confirmed.",
                "Give release, --replacement and --reason together.",
            ),
        )

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        self._bench.session.note(_confirmation(state))
        return msgspec.structs.replace(state, confirmed=True)


class _Deprecate(_DeprecateStep):
    """Journal the decision, then sign the index and the texts that follow from it."""

    id = "deprecate"
    title = "Deprecate"
    commit_point = True
    unchanged = "What was decided is in the journal; run the same command again to finish it."

    def done(self, state: DeprecateState) -> bool:
        return state.signed

    def question(self, state: DeprecateState) -> Question:
        return Automatic("deprecate")

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        bench = self._bench
        check_clock(bench, NOT_COMPARED)
        if not _is_recorded(bench, state):
            releases = _releases(bench)
            check_can_end(releases, state.version)
            check_can_replace(releases, state.version, state.replacement)
            facts = DeprecatedFacts(
                version=state.version,
                replacement=state.replacement,
                reason=state.reason,
                command=f"release deprecate {state.version} --replacement {state.replacement}",
            )
            bench.journal.append(DEPRECATED, msgspec.to_builtins(facts))
        index = index_now(bench)
        if not is_current(bench, index):
            sign_index_files(bench, index, f"release deprecate {state.version}")
        bench.session.wipe()
        progress.say(Line("notice, pointer, known issue and index are signed", mark=Mark.OK))
        return msgspec.structs.replace(state, signed=True)


class _Write(_DeprecateStep):
    """Write the files for the online side durably, and read them back (EXP-2)."""

    id = "write"
    title = CARRY_OUT.title
    commit_point = True
    unchanged = CARRY_OUT.unchanged

    def done(self, state: DeprecateState) -> bool:
        return state.stays or bool(state.written)

    def question(self, state: DeprecateState) -> Question:
        return Automatic("write")

    def act(self, state: DeprecateState, answer: Answer, progress: Progress) -> DeprecateState:
        bench = self._bench
        files = notice_files(bench, state.version)
        # Named by the state of the index: what is carried out later never collides with it.
        entries = len(index_now(bench).entries)
        folder = f"{bench.profile.project.slug}-{state.version}-deprecated-{entries}"
        written = bench.destinations.write_release(Path(state.directory), folder, files, progress)
        facts = {
            "version": state.version,
            "folder": folder,
            "destination": state.directory,
            "files": {file.name: file.sha256 for file in written},
            "command": f"release deprecate {state.version} {state.directory}",
        }
        bench.journal.append(NOTICE_EXPORTED, facts)
        names = tuple(file.name for file in written)
        return msgspec.structs.replace(state, folder=folder, written=names)


def notice_files(bench: Workbench, version: str) -> dict[str, bytes]:
    """What the online side needs to deprecate ``version``, verified once more (SIG-5)."""
    signed = publishable(bench)
    wanted = (INDEX_NAME, LATEST_NAME, notice_name(version), issue_name(version))
    suffixes = ("", MINISIG_SUFFIX, OPENPGP_SUFFIX)
    names = {name + suffix for name in wanted for suffix in suffixes}
    guide = render_guide(index_now(bench), version, bench.profile, bench.registry())
    return {
        **{name: data for name, data in signed.items() if name in names},
        GUIDE_NAME: guide.encode(),
    }


def _outcome(bench: Workbench, state: DeprecateState) -> Outcome:
    latest = latest_of(_releases(bench), bench.profile)
    place = f"{state.directory}/{state.folder}" if state.written else None
    lines = [
        Line(f"DEPRECATED, see {state.replacement}", label=state.version, mark=Mark.OK),
        Line(latest.version if latest else "none", label="latest"),
    ]
    if place is not None:
        lines += [Line(place, label="folder")]
        lines += [Line(name, label="written", mark=Mark.OK) for name in state.written]
        lines += [Line(f"Next: follow {GUIDE_NAME} on the online machine.")]
    else:
        lines += [Line(f"Next: pai-signer release deprecate {state.version} DEST")]
    data = {
        "version": state.version,
        "replacement": state.replacement,
        "reason": state.reason,
        "latest": latest.version if latest else None,
        "folder": place,
        "files": list(state.written),
    }
    return Outcome((Page("Deprecated", tuple(lines)),), data)
