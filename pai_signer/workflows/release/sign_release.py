"""Review and sign: clock, rules, pages, typed version, secrets, signatures (POL, REV, SIG).

Everything up to typing the passphrases can be walked back. The last step is the
commit point: it journals what it is about to sign, signs from the digests in
hand, verifies all of it again and only then lets it appear in staging.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.history import (
    DISCARDED,
    SIGNED,
    SIGNING,
    DiscardedFacts,
    SignedRelease,
    Visited,
)
from pai_signer.domain.page import Line, Page
from pai_signer.domain.policy import (
    CheckResult,
    check_reason,
    check_waivers,
    failures,
    refusal,
    require,
)
from pai_signer.domain.progress import Progress
from pai_signer.domain.records import encode_record
from pai_signer.domain.registry import REGISTRY_NAME, Algorithm, RegisteredKey
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused, SignerError
from pai_signer.ports import UnlockedMinisignKey
from pai_signer.workflows.engine import (
    NO,
    Answer,
    Automatic,
    Choice,
    Confirm,
    Option,
    Outcome,
    Proceed,
    Question,
    SecretText,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.release import review
from pai_signer.workflows.release.as_imported import check_as_imported
from pai_signer.workflows.release.commit_facts import with_fresh_commit
from pai_signer.workflows.release.evaluate import evaluate
from pai_signer.workflows.release.make_signatures import Visit
from pai_signer.workflows.release.settle import settle_unfinished
from pai_signer.workflows.release.signing_facts import signed_facts, signing_facts
from pai_signer.workflows.release.signing_pages import receipt_outcome, review_pages
from pai_signer.workflows.release.unsigned_part import unsigned_part
from pai_signer.workflows.workbench import Workbench

#: The session's note that the clock was compared with a watch in this sitting.
CLOCK: Final = "clock confirmed"
#: The session's note that the rules were read in this sitting.
CHECKED: Final = "checks read"
#: The session's notes that the pages were read, and the version typed, in this sitting: whoever
#: goes on with what somebody else began has seen nothing yet, and a saved state proves nothing.
REVIEWED: Final = "pages read"
TYPED: Final = "version typed"
WAIVE: Final = "waive."


class SignState(Record, frozen=True, kw_only=True):
    """Where a signing stands.

    ``content`` pins what is signed and by which keys, so that a signing that began
    with another candidate, registry or profile is never resumed.
    """

    version: str
    visit: Visited
    content: str
    waivers: dict[str, str] = msgspec.field(default_factory=dict)
    checks_accepted: bool = False
    reviewed: bool = False
    typed: bool = False
    signed: bool = False


def sign_release(
    bench: Workbench,
    version: str,
    what: Visited = "all",
    waivers: Mapping[str, str] | None = None,
) -> Workflow[SignState]:
    """Build the workflow for what was imported of ``version`` and is not yet signed (IMP-7).

    ``waivers`` are reasons by check ID that are known already; others are asked.
    """
    check_waivers(waivers or {})
    start = start_of(bench, bench.release_name(version), what, waivers or {})
    return Workflow(
        name="sign-release",
        key=start.version,
        title=f"Release {start.version}",
        start=start,
        steps=(
            _ConfirmClock(bench),
            _PassChecks(bench),
            _Review(bench),
            _TypeVersion(bench),
            _UnlockMinisign(bench),
            _UnlockOpenPgp(bench),
            _Sign(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, state),
    )


def start_of(
    bench: Workbench, version: str, what: Visited, waivers: Mapping[str, str]
) -> SignState:
    """Where a signing of ``version`` begins, with everything that is known of it now."""
    settle_unfinished(bench)
    try:
        visit = unsigned_part(bench, version, what)
    except SignerError:
        # Nothing is left to sign: what a crash after the last step saved is of no use.
        bench.states.delete(f"sign-release.{version}")
        raise
    check_as_imported(bench, bench.candidate(version))
    with_fresh_commit(bench, version)
    content = content_of(bench, version)
    return SignState(version=version, visit=visit, content=content, waivers=dict(waivers))


def content_of(bench: Workbench, version: str) -> str:
    """SHA-256 over all that decides what is signed: candidate, keys, profile, maintainer."""
    parts = (
        bench.candidate_bytes(version),
        bench.registry_store.load().get(REGISTRY_NAME, b""),
        msgspec.json.encode(bench.profile),
        msgspec.json.encode(bench.info),
    )
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


class _SignStep(Step[SignState]):
    """What the steps of this workflow share."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def _checks(self, state: SignState) -> tuple[CheckResult, ...]:
        bench = self._bench
        return evaluate(
            bench,
            bench.candidate(state.version),
            visit=state.visit,
            clock_confirmed=CLOCK in bench.session,
            waivers=state.waivers,
        )

    def _signing_key(self, algorithm: Algorithm) -> RegisteredKey:
        key = self._bench.registry().signing_key(algorithm)
        if key is None:
            raise PolicyRefused(
                "POL-6/no-key",
                f"There is no active {algorithm.value} key.",
                "Generate or import one: pai-signer key generate",
            )
        return key


class _ConfirmClock(_SignStep):
    """The operator compares the clock with a watch (POL-8)."""

    id = "clock"
    title = "Clock"

    def done(self, state: SignState) -> bool:
        return state.signed or CLOCK in self._bench.session

    def pages(self, state: SignState) -> Sequence[Page]:
        now = self._bench.clock.now()
        last = self._bench.last_entry_at()
        return (
            Page(
                "The clock goes into every signature",
                (
                    Line(f"{now:%A %d %B %Y, %H:%M} UTC", label="this machine says"),
                    Line(f"{last:%Y-%m-%d %H:%M} UTC" if last else "none", label="last entry"),
                ),
            ),
        )

    def question(self, state: SignState) -> Question:
        return Confirm("clock", "Does a watch or a phone say the same date and time?")

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        if answer == NO:
            raise PolicyRefused(
                "POL-8/clock",
                "The clock is not right.",
                "Set it (as root: date -u -s 'YYYY-MM-DD HH:MM'), then start again.",
            )
        self._bench.session.note(CLOCK)
        return state


class _PassChecks(_SignStep):
    """The rules: a failed one that may be waived asks for a reason, one at a time."""

    id = "checks"
    title = "Rules"

    def done(self, state: SignState) -> bool:
        # Read again in each sitting: the machine around it may be another one by then.
        return state.signed or (state.checks_accepted and CHECKED in self._bench.session)

    def pages(self, state: SignState) -> Sequence[Page]:
        return (
            Page("The rules, before anything is signed", review.check_lines(self._checks(state))),
        )

    def question(self, state: SignState) -> Question:
        results = self._checks(state)
        failed = failures(results)
        if not failed:
            return Proceed("checks", "Go on to the review?")
        error = refusal(results, self._bench.candidate(state.version))
        if any(not result.waivable for result in failed):
            return Choice(
                "refused",
                "A rule that cannot be waived says no.",
                refusal=error,
                options=(Option("refused", "leave it unsigned"),),
            )
        return TypedText(
            f"{WAIVE}{failed[0].id}",
            f"{failed[0].id} ({failed[0].title}) says no: type why it is all right, or discard",
            refusal=error,
        )

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        results = self._checks(state)
        failed = failures(results)
        if not failed:
            self._bench.session.note(CHECKED)
            return msgspec.structs.replace(state, checks_accepted=True)
        if any(not result.waivable for result in failed):
            require(results, self._bench.candidate(state.version))
        check_reason(failed[0].id, str(answer))
        waivers = {**state.waivers, failed[0].id: str(answer)}
        return msgspec.structs.replace(state, waivers=waivers)


class _Review(_SignStep):
    """All pages; the sign step is armed behind the last one only."""

    id = "review"
    title = "Review"

    def done(self, state: SignState) -> bool:
        return state.signed or (state.reviewed and REVIEWED in self._bench.session)

    def pages(self, state: SignState) -> Sequence[Page]:
        return review_pages(self._bench, state.version, state.visit, self._checks(state))

    def question(self, state: SignState) -> Question:
        return Proceed("reviewed", "This is everything that will be signed.")

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        self._bench.session.note(REVIEWED)
        return msgspec.structs.replace(state, reviewed=True)


class _TypeVersion(_SignStep):
    """REV-2: typing the version is the decision to sign."""

    id = "confirm"
    title = "Sign"

    def done(self, state: SignState) -> bool:
        return state.signed or (state.typed and TYPED in self._bench.session)

    def question(self, state: SignState) -> Question:
        return TypedText("confirm", f"Type {state.version} to sign it", must_equal=state.version)

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        self._bench.session.note(TYPED)
        return msgspec.structs.replace(state, typed=True)


class _UnlockMinisign(_SignStep):
    """Decrypt the minisign key into the session."""

    id = "minisign"
    title = "Sign"

    def done(self, state: SignState) -> bool:
        return state.signed or "minisign" in self._bench.session

    def question(self, state: SignState) -> Question:
        key = self._signing_key(Algorithm.MINISIGN)
        return SecretText("minisign", f"Passphrase of the minisign key {key.id}")

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        progress.say(Line("unlocking the minisign key (this takes a few seconds)"))
        key = self._signing_key(Algorithm.MINISIGN)
        with cast("Secret", answer) as passphrase:
            unlocked = self._bench.minisign.unlock(key.public_key, passphrase)
        self._bench.session.hold("minisign", unlocked)
        return state


class _UnlockOpenPgp(_SignStep):
    """Prove the OpenPGP passphrase, and keep it in the session until the signing."""

    id = "openpgp"
    title = "Sign"

    def done(self, state: SignState) -> bool:
        return state.signed or "gpg" in self._bench.session

    def question(self, state: SignState) -> Question:
        key = self._signing_key(Algorithm.OPENPGP)
        return SecretText("gpg", f"Passphrase of the OpenPGP key {key.id[-16:]}")

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        passphrase = cast("Secret", answer)
        try:
            self._bench.openpgp.prove(self._signing_key(Algorithm.OPENPGP).id, passphrase)
        except BaseException:
            passphrase.wipe()
            raise
        self._bench.session.hold("gpg", passphrase)
        return state


class _Sign(_SignStep):
    """Journal the intent, sign, verify, stage, journal the result."""

    id = "sign"
    title = "Sign"
    commit_point = True
    unchanged = "No signature was kept: staging is as it was before."

    def done(self, state: SignState) -> bool:
        return state.signed

    def question(self, state: SignState) -> Question:
        return Automatic("sign")

    def act(self, state: SignState, answer: Answer, progress: Progress) -> SignState:
        try:
            self._sign(state, progress)
        finally:  # whatever happened, keys and clock are asked again
            self._bench.session.wipe()
        return msgspec.structs.replace(state, signed=True)

    def _sign(self, state: SignState, progress: Progress) -> None:
        bench = self._bench
        if content_of(bench, state.version) != state.content:
            raise PolicyRefused(
                "REV-2/changed",
                "What would be signed is not what was reviewed: candidate, keys or profile "
                "were changed since.",
                "Begin the signing again, and review it.",
            )
        candidate = bench.candidate(state.version)
        check_as_imported(bench, candidate)
        checks = self._checks(state)
        require(checks, candidate)
        signing = signing_facts(bench, state.version, state.visit, candidate, checks)
        entry = bench.journal.append(SIGNING, msgspec.to_builtins(signing))
        visit = Visit(
            bench=bench,
            candidate=candidate,
            registry=bench.registry(),
            signing=signing,
            entry=entry,
            checks=checks,
            minisign_key=cast("UnlockedMinisignKey", bench.session.take("minisign")),
            openpgp_passphrase=cast("Secret", bench.session.take("gpg")),
            now=bench.clock.now(),
            progress=progress,
        )
        try:
            visit.make()
            visit.verify()
            progress.forbid_cancel()
            bench.releases.stage(state.version, visit.files)
        except BaseException as error:
            self._take_back(visit, error)
            raise
        bench.journal.append(SIGNED, msgspec.to_builtins(signed_facts(visit)))

    def _take_back(self, visit: Visit, error: BaseException) -> None:
        """Leave neither staged files nor a tag of this visit, and say so in the journal."""
        version = visit.signing.version
        why = error.summary if isinstance(error, SignerError) else type(error).__name__
        facts = DiscardedFacts(version=version, visit=visit.signing.visit, why=why)
        try:
            # Staging may have happened all the same: the interrupt came, or the disk failed,
            # right behind it. What an earlier visit signed stays.
            signed = self._bench.history().find(version)
            self._bench.releases.unstage(version, set(visit.files) - set(_files(signed)))
            if visit.may_have_tagged:
                self._bench.tags.delete_tag(version)
            self._bench.journal.append(DISCARDED, msgspec.to_builtins(facts))
        except SignerError:
            # Not journalled as discarded, so the next start settles it; the first error counts.
            if isinstance(error, SignerError):
                error.unchanged = "What was made so far is settled when the program starts again."


def _discard(bench: Workbench, state: SignState) -> None:
    """Discarding before the signing forgets what was imported; a part that is signed stays."""
    if state.signed:
        return
    signed = bench.history().find(state.version)
    if signed is None:
        bench.releases.delete_candidate(state.version)
    else:
        candidate = bench.candidate(state.version)
        left = msgspec.structs.replace(
            candidate,
            artifacts=candidate.artifacts if signed.manifest_sha256 else (),
            commit=candidate.commit if signed.tag_oid else None,
        )
        bench.releases.save_candidate(state.version, encode_record(left))
    facts = {"version": state.version, "visit": state.visit}
    bench.journal.append("release.candidate-discarded", facts)


def _files(signed: SignedRelease | None) -> Mapping[str, str]:
    return signed.files if signed is not None else {}


def _outcome(bench: Workbench, state: SignState) -> Outcome:
    return receipt_outcome(bench, state.version, state.visit)
