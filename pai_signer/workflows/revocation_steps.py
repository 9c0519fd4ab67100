"""The steps of a revocation up to its point of no return: which key, why, since when (KEY-5)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

import msgspec

from pai_signer.domain.endorsement import endorsement_name
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.openpgp_signatures import MAX_REVOCATION_TEXT_BYTES, check_revocation_text
from pai_signer.domain.page import Line, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.registry_rules import mark_compromised
from pai_signer.domain.revocation import (
    PACKET_REASONS,
    RevokeReason,
    check_certificate_wanted,
    check_revocable,
    stock_tools,
)
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, PolicyRefused, UsageError
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Proceed,
    Question,
    SecretText,
    Step,
    TypedText,
)
from pai_signer.workflows.read_lists import EndorsingState
from pai_signer.workflows.workbench import Workbench

#: The prepared OpenPGP revocation, among the ceremony's files.
REVOCATION: Final = "revocation.asc"
#: What the passphrase of the key that is revoked is called: it is not the one that signs.
REVOKED_KEY: Final = "revoked"
MAX_REVOCATION_BYTES: Final = 64 << 10
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M"

_MEANINGS: Final[dict[RevokeReason, str]] = {
    "compromised": "somebody else has it, or may have it",
    "superseded": "another key took its place (OpenPGP)",
    "retired": "it is no longer used, and no key follows",
}
_DEFAULT_WHY: Final[dict[RevokeReason, str]] = {
    "compromised": "compromised",
    "superseded": "superseded by another key",
    "retired": "no longer used",
}


class RevokeState(EndorsingState, frozen=True, kw_only=True):
    """Where a revocation stands; the registry says so once it is ``revoked``."""

    key: str = ""
    reason: RevokeReason | None = None
    #: Path of a revocation certificate that was prepared; empty where one is made now.
    certificate: str = ""
    explained: bool = False
    trusted_until: datetime | None = None
    why: str = ""
    #: The OpenPGP revocation lies among the ceremony's files.
    prepared: bool = False
    revoked: bool = False
    applied: bool = False


def revoked_key(bench: Workbench, state: RevokeState) -> RegisteredKey:
    """The key as the registry has it now."""
    return bench.registry().find(state.key)


def set_reason(state: RevokeState) -> RevokeReason:
    """The reason, once it was chosen."""
    if state.reason is None:
        raise RuntimeError("no reason was chosen")
    return state.reason


def trusted_until(state: RevokeState) -> datetime:
    """The last moment of trust, once it was said."""
    if state.trusted_until is None:
        raise RuntimeError("no moment was said")
    return state.trusted_until


class _PreparingStep(Step[RevokeState]):
    unchanged = "The registry was not changed, and no key was revoked."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class ChooseKey(_PreparingStep):
    """Which key, where none was named."""

    id = "choose-key"
    title = "Choose the key"
    in_script = ("Compare the ID with the published one before you choose.",)
    blanks = ("ID of the key",)

    def done(self, state: RevokeState) -> bool:
        return bool(state.key)

    def question(self, state: RevokeState) -> Question:
        options = tuple(
            Option(
                key.id,
                f"{key.algorithm.value} {key.id} {key.life.value}",
                unavailable_because=_why_not(self._bench, key),
            )
            for key in self._bench.registry().keys
        )
        return Choice("key", "Which key is to be revoked?", options=options)

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        return msgspec.structs.replace(state, key=str(answer))


def _why_not(bench: Workbench, key: RegisteredKey) -> str:
    try:
        check_revocable(bench.registry(), key.id, "compromised")
    except PolicyRefused as refusal:
        return refusal.summary
    return ""


class ChooseReason(_PreparingStep):
    """Why, where it was not said: it decides what becomes of old signatures."""

    id = "choose-reason"
    title = "Choose the reason"
    in_script = ("When in doubt whether somebody else has the key: compromised.",)

    def done(self, state: RevokeState) -> bool:
        return state.reason is not None

    def question(self, state: RevokeState) -> Question:
        options = tuple(
            Option(reason, f"{reason}: {meaning}", self._not_now(state, reason))
            for reason, meaning in _MEANINGS.items()
        )
        return Choice("reason", "Why is it revoked?", options=options)

    def _not_now(self, state: RevokeState, reason: RevokeReason) -> str:
        try:
            check_revocable(self._bench.registry(), state.key, reason)
        except PolicyRefused as refusal:
            return refusal.summary
        return ""

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        return msgspec.structs.replace(state, reason=cast("RevokeReason", answer))


class Explain(_PreparingStep):
    """What will happen, and what stock tools will say afterwards."""

    id = "explain"
    title = "Read what will be done"
    in_script = (
        "Read aloud what is shown, above all what stock tools will say of old signatures.",
    )

    def done(self, state: RevokeState) -> bool:
        return state.explained

    def pages(self, state: RevokeState) -> Sequence[Page]:
        key, reason = revoked_key(self._bench, state), set_reason(state)
        shown = grouped_fingerprint(key.id) if key.algorithm is Algorithm.OPENPGP else key.id
        lines = [
            Line(shown, label=f"{key.algorithm.value} key"),
            Line(key.life.value, label="state now"),
            Line(f"{reason}: {_MEANINGS[reason]}", label="reason"),
            Line(),
        ]
        if reason == "compromised":
            lines += [
                Line("Every signature by it counts for nothing from now on, whatever its date."),
                Line(f"What stays good is on the list {endorsement_name(key.id)}."),
                Line("A notice tells everybody. All is signed by the keys that stay in use."),
            ]
        elif key.can_sign:
            lines.append(Line("It signs nothing any more, and no key takes its place."))
            lines.append(Line("What it signed until now stays good."))
        else:
            lines.append(Line("What it signed while it was in use stays good."))
        said = tuple(Line(text) for text in stock_tools(key.algorithm, reason))
        return (
            Page("Revoke a key", tuple(lines)),
            Page("What stock tools will say of its signatures", said),
        )

    def question(self, state: RevokeState) -> Question:
        return Proceed("explain", "Go on?")

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        key = check_revocable(self._bench.registry(), state.key, set_reason(state))
        if state.certificate:
            check_certificate_wanted(key, set_reason(state))
        return msgspec.structs.replace(state, explained=True)


class AskTrustedUntil(_PreparingStep):
    """The last moment at which the key was surely ours alone; for the notice."""

    id = "trusted-until"
    title = "Until when it was ours alone"
    in_script = (
        "Agree on the last moment at which the key was surely in nobody else's hands. It is "
        "published, and cannot be changed later.",
    )
    blanks = ("Ours alone until (UTC)",)

    def done(self, state: RevokeState) -> bool:
        return state.reason != "compromised" or state.trusted_until is not None

    def question(self, state: RevokeState) -> Question:
        return TypedText(
            "trusted-until",
            "The last moment at which it was surely ours alone, in UTC, as 2026-12-31 23:59",
        )

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        moment = parse_moment(str(answer))
        # The rules of the registry, before anything else is typed.
        mark_compromised(
            self._bench.registry(),
            state.key,
            reason=_DEFAULT_WHY["compromised"],
            now=self._bench.clock.now(),
            do_not_trust_after=moment,
        )
        return msgspec.structs.replace(state, trusted_until=moment)


def parse_moment(text: str) -> datetime:
    """A minute in UTC as ``YYYY-MM-DD HH:MM``; ``UsageError`` for anything else."""
    typed = " ".join(text.split())
    try:
        return datetime.strptime(typed, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(
            "KEY-5/time-typed",
            f"{safe_text(typed, limit=40)!r} is no date and time.",
            "Type it as 2026-12-31 23:59, in UTC.",
        ) from error


class AskWhy(_PreparingStep):
    """One line for the public: registry, notice and certificate hold it."""

    id = "why"
    title = "Say why in public"
    in_script = ("One line of plain text that everybody may read.",)
    blanks = ("In public it is said",)

    def done(self, state: RevokeState) -> bool:
        return bool(state.why)

    def question(self, state: RevokeState) -> Question:
        default = _DEFAULT_WHY[set_reason(state)]
        prompt = f"Why, in one line for everybody to read (empty: {default})"
        return TypedText("why", prompt, default="", may_be_empty=True)

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        why = " ".join(str(answer).split()) or _DEFAULT_WHY[set_reason(state)]
        try:
            check_revocation_text(why)
        except FormatError as error:
            raise UsageError(
                "KEY-5/why",
                "The reason must be one line of plain ASCII: it is published, and goes into "
                "the certificate.",
                f"Use at most {MAX_REVOCATION_TEXT_BYTES} letters, digits and signs.",
            ) from error
        return msgspec.structs.replace(state, why=why)


class PrepareRevocation(_PreparingStep):
    """The OpenPGP revocation, made from the passphrase or taken from a file; not yet applied."""

    id = "prepare"
    title = "Prepare the OpenPGP revocation"
    in_script = (
        "For an OpenPGP key: whoever holds its passphrase types it, or the certificate that "
        "was prepared is read from its medium. Nothing is revoked yet.",
    )

    def done(self, state: RevokeState) -> bool:
        if state.prepared or state.revoked:
            return True
        return bool(state.key) and (
            revoked_key(self._bench, state).algorithm is not Algorithm.OPENPGP
        )

    def question(self, state: RevokeState) -> Question:
        if state.certificate:
            return Automatic("certificate")
        return SecretText(REVOKED_KEY, f"Passphrase of the key that is revoked, {state.key}")

    def act(self, state: RevokeState, answer: Answer, progress: Progress) -> RevokeState:
        life, reason = self._bench.openpgp_life, PACKET_REASONS[set_reason(state)]
        if state.certificate:
            revocation = life.check_revocation(state.key, self._read(state.certificate))
            if revocation.reason is not reason:
                raise PolicyRefused(
                    "KEY-5/other-reason",
                    f"The certificate says {revocation.reason.name.lower()}, not {state.reason}.",
                    "Take the revocation certificate that was made for COMPROMISED.",
                )
        else:
            with cast("Secret", answer) as passphrase:
                revocation = life.make_revocation(state.key, reason, state.why, passphrase)
        self._bench.ceremonies.save(state.ceremony, {REVOCATION: revocation.block})
        return msgspec.structs.replace(state, prepared=True)

    def _read(self, certificate: str) -> bytes:
        path = Path(certificate)
        with self._bench.sources.open(path.parent) as folder:
            return folder.read_small(path.name, MAX_REVOCATION_BYTES)
