"""The steps with which a key ends before its time, in a revocation or in a rotation (KEY-5).

They ask and prepare; nothing ends before the registry says so. The vault's own OpenPGP key
is revoked after that, with exactly what was registered.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

import msgspec

from pai_signer.domain.openpgp_signatures import MAX_REVOCATION_TEXT_BYTES, check_revocation_text
from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey, Registry
from pai_signer.domain.registry_rules import mark_compromised, replace_certificate, retire
from pai_signer.domain.revocation import PACKET_REASONS, RevokeReason
from pai_signer.domain.secret import Secret
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, PolicyRefused, UsageError
from pai_signer.workflows.ceremony.opening import was_clock_compared
from pai_signer.workflows.engine import (
    YES,
    Answer,
    Automatic,
    Question,
    SecretText,
    Step,
    TypedText,
)
from pai_signer.workflows.keys.key_dates import NOT_COMPARED, check_clock
from pai_signer.workflows.keys.read_lists import EndorsingState
from pai_signer.workflows.workbench import Workbench

#: The prepared OpenPGP revocation, among the ceremony's files.
REVOCATION: Final = "revocation.asc"
#: What the passphrase of the key that ends is called: it is not the one that signs.
REVOKED_KEY: Final = "revoked"
MAX_REVOCATION_BYTES: Final = 64 << 10
#: To the second where it has to be exact; people say it to the minute.
MOMENT_FORMAT: Final = "%Y-%m-%d %H:%M:%S"

DEFAULT_WHY: Final[dict[RevokeReason, str]] = {
    "compromised": "compromised",
    "superseded": "superseded by another key",
    "retired": "no longer used",
}


class EndingState(EndorsingState, frozen=True, kw_only=True):
    """A ceremony in which a key may end; ``ends`` and ``ends_as`` say which, and how."""

    #: Path of a revocation certificate that was prepared; empty where one is made now.
    certificate: str = ""
    trusted_until: datetime | None = None
    why: str = ""
    #: The OpenPGP revocation lies among the ceremony's files, and was given to the vault's gpg.
    prepared: bool = False
    applied: bool = False

    @property
    def ends(self) -> str:
        """The ID of the key that ends in this ceremony; empty where none does."""
        return ""

    @property
    def ends_as(self) -> RevokeReason | None:
        """Why it ends; None where none does, or it is not chosen yet."""
        return None

    @property
    def ended_alone_until(self) -> datetime:
        """The last moment of trust, once it was said."""
        if self.trusted_until is None:
            raise RuntimeError("no moment was said")
        return self.trusted_until


N = TypeVar("N", bound=EndingState)


def ending_key(bench: Workbench, state: EndingState) -> RegisteredKey | None:
    """The key that ends, as the registry has it now; None where none does."""
    return bench.registry().find(state.ends) if state.ends else None


def ended_registry(bench: Workbench, state: EndingState, now: datetime) -> Registry:
    """The registry in which the key has ended; its certificate holds the revocation."""
    registry, key = bench.registry(), bench.registry().find(state.ends)
    certificate = None
    if key.algorithm is Algorithm.OPENPGP:
        life = bench.openpgp_life
        revocation = life.check_revocation(key.id, prepared_block(bench, state))
        certificate = life.merged_certificate([key.public_key, revocation.certificate])
    if state.ends_as == "compromised":
        return mark_compromised(
            registry,
            key.id,
            reason=state.why,
            now=now,
            do_not_trust_after=state.ended_alone_until,
            certificate=certificate,
        )
    if key.can_sign:
        return retire(registry, key.id, reason=state.why, now=now, certificate=certificate)
    if certificate is None:
        raise RuntimeError("a retired minisign key has nothing to revoke")
    return replace_certificate(registry, key.id, certificate, expires_at=key.expires_at, now=now)


def marked_registry(bench: Workbench, state: EndingState, now: datetime) -> Registry:
    """The registry in which the key is compromised, for reading lists: without its revocation."""
    return mark_compromised(
        bench.registry(),
        state.ends,
        reason=state.why,
        now=now,
        do_not_trust_after=state.ended_alone_until,
    )


def prepared_block(bench: Workbench, state: EndingState) -> bytes:
    """The OpenPGP revocation that this ceremony prepared."""
    return bench.ceremonies.load(state.ceremony)[REVOCATION]


def apply_revocation(bench: Workbench, state: EndingState) -> None:
    """Give it to the vault's own gpg; twice is once, and a minisign key has none."""
    key = ending_key(bench, state)
    if key is not None and key.algorithm is Algorithm.OPENPGP:
        bench.openpgp_life.apply_revocation(key.id, prepared_block(bench, state))


class _EndingStep(Step[N], Generic[N]):
    unchanged = "The registry was not changed, and no key was revoked."

    def __init__(self, bench: Workbench, is_over: Callable[[N], bool]) -> None:
        """``is_over`` says that the registry knows of it already."""
        self._bench = bench
        self._is_over = is_over


class AskTrustedUntil(_EndingStep[N]):
    """The last moment at which the key was surely ours alone; for the notice."""

    id = "trusted-until"
    title = "Until when it was ours alone"
    in_script = (
        "Agree on the last moment at which the key was surely in nobody else's hands. It is "
        "published, and cannot be changed later.",
    )
    blanks = ("Ours alone until (UTC)",)

    def done(self, state: N) -> bool:
        return state.ends_as != "compromised" or state.trusted_until is not None

    def question(self, state: N) -> Question:
        return TypedText(
            "trusted-until",
            "The last moment at which it was surely ours alone, in UTC, as 2026-12-31 23:59",
        )

    def act(self, state: N, answer: Answer, progress: Progress) -> N:
        moment = parse_moment(str(answer))
        # The rules of the registry, before anything else is typed.
        mark_compromised(
            self._bench.registry(),
            state.ends,
            reason=DEFAULT_WHY["compromised"],
            now=self._bench.clock.now(),
            do_not_trust_after=moment,
        )
        return msgspec.structs.replace(state, trusted_until=moment)


def parse_moment(text: str) -> datetime:
    """A minute in UTC as ``YYYY-MM-DD HH:MM``, or a second; ``UsageError`` for anything else."""
    typed = " ".join(text.split())
    minute = MOMENT_FORMAT.removesuffix(":%S")
    try:
        pattern = MOMENT_FORMAT if typed.count(":") > 1 else minute
        return datetime.strptime(typed, pattern).replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(
            "KEY-5/time-typed",
            f"{safe_text(typed, limit=40)!r} is no date and time.",
            "Type it as 2026-12-31 23:59, in UTC.",
        ) from error


class AskWhy(_EndingStep[N]):
    """One line for the public: registry, notice and certificate hold it."""

    id = "why"
    title = "Say why in public"
    in_script = ("One line of plain text that everybody may read.",)
    blanks = ("In public it is said",)

    def done(self, state: N) -> bool:
        return bool(state.why) or not state.ends

    def question(self, state: N) -> Question:
        default = DEFAULT_WHY[_reason(state)]
        prompt = f"Why, in one line for everybody to read (empty: {default})"
        return TypedText("why", prompt, default="", may_be_empty=True)

    def act(self, state: N, answer: Answer, progress: Progress) -> N:
        why = " ".join(str(answer).split()) or DEFAULT_WHY[_reason(state)]
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


class PrepareRevocation(_EndingStep[N]):
    """The OpenPGP revocation, made from the passphrase or taken from a file; not yet applied."""

    id = "prepare"
    title = "Prepare the OpenPGP revocation"
    in_script = (
        "For an OpenPGP key: whoever holds its passphrase types it, or the certificate that "
        "was prepared is read from its medium. Nothing is revoked yet.",
    )

    def done(self, state: N) -> bool:
        if state.prepared or self._is_over(state):
            return True
        key = ending_key(self._bench, state)
        return key is None or key.algorithm is not Algorithm.OPENPGP

    def question(self, state: N) -> Question:
        if state.certificate:
            return Automatic("certificate")
        return SecretText(REVOKED_KEY, f"Passphrase of the key that ends, {state.ends}")

    def act(self, state: N, answer: Answer, progress: Progress) -> N:
        life, reason = self._bench.openpgp_life, PACKET_REASONS[_reason(state)]
        # A revocation under a wrong clock stays for ever.
        check_clock(self._bench, YES if was_clock_compared(state) else NOT_COMPARED)
        if state.certificate:
            revocation = life.check_revocation(state.ends, self._read(state.certificate))
            if revocation.reason is not reason:
                raise PolicyRefused(
                    "KEY-5/other-reason",
                    f"The certificate says {revocation.reason.name.lower()}, not {state.ends_as}.",
                    "Take the revocation certificate that was made for COMPROMISED.",
                )
        else:
            with cast("Secret", answer) as passphrase:
                revocation = life.make_revocation(state.ends, reason, state.why, passphrase)
        self._bench.ceremonies.save(state.ceremony, {REVOCATION: revocation.block})
        return msgspec.structs.replace(state, prepared=True)

    def _read(self, certificate: str) -> bytes:
        path = Path(certificate)
        with self._bench.sources.open(path.parent) as folder:
            return folder.read_small(path.name, MAX_REVOCATION_BYTES)


class ApplyRevocation(_EndingStep[N]):
    """The vault's own copy of the key, so that gpg never signs with it again."""

    id = "apply"
    title = "Revoke the key in the vault"
    commit_point = True
    unchanged = (
        "The registry says that the key is revoked, and that stands; only the vault's own gpg "
        "does not know it yet. The same command goes on from here."
    )
    in_script = ("The program gives the revocation to the vault's own gpg.",)

    def done(self, state: N) -> bool:
        key = ending_key(self._bench, state)
        return state.applied or key is None or key.algorithm is not Algorithm.OPENPGP

    def question(self, state: N) -> Question:
        return Automatic("apply")

    def act(self, state: N, answer: Answer, progress: Progress) -> N:
        apply_revocation(self._bench, state)
        progress.say(Line("the key is revoked in the vault's gpg as well", mark=Mark.OK))
        return msgspec.structs.replace(state, applied=True)


def _reason(state: EndingState) -> RevokeReason:
    if state.ends_as is None:
        raise RuntimeError("no reason was chosen")
    return state.ends_as
