"""Let the OpenPGP key live on: a new expiry date, once a year (KEY-4).

The new date is a new self-signature. What is registered and published is the merge of
every certificate so far: strict verifiers judge an old release by the self-signature of
its own time, which gpg's newest export no longer holds.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, cast

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.openpgp import expires_on, grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.registry_rules import check_grows, replace_certificate
from pai_signer.domain.secret import Secret
from pai_signer.errors import PolicyRefused
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Automatic,
    Choice,
    Option,
    Outcome,
    Proceed,
    Question,
    SecretText,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.keys.key_dates import (
    NOT_COMPARED,
    check_clock,
    check_day,
    parse_day,
    proposed_day,
)
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN, sign_and_store
from pai_signer.workflows.workbench import Workbench

EXTENDED: Final = "key.extended"
DISCARDED: Final = "key.extension-discarded"
#: The session's note that the clock was looked at in this sitting.
CLOCK: Final = "clock looked at"


class ExtendState(Record, frozen=True, kw_only=True):
    """Where an extension stands. With a ``certificate`` the vault's key has its new date."""

    key: str
    until: date | None = None
    clock: str = ""
    accepted: bool = False
    certificate: str = ""
    expires_at: datetime | None = None
    registered: bool = False


def extend_gpg(bench: Workbench, until: str = "") -> Workflow[ExtendState]:
    """Build the workflow; refuses where no OpenPGP key is active or where it never expires.

    ``until`` is ``YYYY-MM-DD``; without it a good day is proposed.
    """
    key = _active_key(bench)
    return Workflow(
        name="extend-gpg",
        key=key.id,
        title="Extend the OpenPGP key",
        start=ExtendState(key=key.id, until=parse_day(until) if until else None),
        steps=(
            _CompareClock(bench),
            _ChooseDay(bench),
            _UnlockMinisign(bench),
            _OpenPgpPassphrase(bench),
            _Extend(bench),
            _Register(bench),
        ),
        outcome=lambda state: _outcome(bench, state),
        discard=lambda state: _discard(bench, state),
    )


def _active_key(bench: Workbench) -> RegisteredKey:
    key = bench.registry().signing_key(Algorithm.OPENPGP)
    if key is None:
        raise PolicyRefused(
            "POL-6/no-key",
            "There is no active OpenPGP key.",
            "Generate or import one: pai-signer key generate",
        )
    if key.expires_at is None:
        raise PolicyRefused(
            "KEY-4/never-expires",
            f"The OpenPGP key {key.id} never expires; a date would shorten its life.",
            "Nothing needs to be done.",
        )
    return key


class _ExtendStep(Step[ExtendState]):
    """What the steps of this workflow share."""

    unchanged = "The key expires as before, and the registry is as it was."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _CompareClock(_ExtendStep):
    """The clock before all else (POL-8)."""

    id = "clock"
    title = "Clock"

    def done(self, state: ExtendState) -> bool:
        return state.registered or (bool(state.clock) and CLOCK in self._bench.session)

    def pages(self, state: ExtendState) -> Sequence[Page]:
        now, last = self._bench.clock.now(), self._bench.last_entry_at()
        lines = (
            Line(f"{now:%A %d %B %Y, %H:%M} UTC", label="this machine says"),
            Line(f"{last:%Y-%m-%d %H:%M} UTC" if last else "none", label="last entry"),
        )
        return (Page("The clock goes into the key", lines),)

    def question(self, state: ExtendState) -> Question:
        options = (
            Option(YES, "A watch or a phone says the same date and time"),
            Option(NO, "It says something else"),
            Option(NOT_COMPARED, "There is nothing to compare it with: go on, recorded so"),
        )
        return Choice("clock", "Is the clock right?", default=NOT_COMPARED, options=options)

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        check_clock(self._bench, str(answer))
        self._bench.session.note(CLOCK)
        return msgspec.structs.replace(state, clock=str(answer))


class _ChooseDay(_ExtendStep):
    """The new date: given, typed, or the proposed one."""

    id = "until"
    title = "New expiry"

    def done(self, state: ExtendState) -> bool:
        return state.accepted

    def pages(self, state: ExtendState) -> Sequence[Page]:
        key = self._bench.registry().find(state.key)
        day = state.until or proposed_day(self._bench)
        word = "new expiry" if state.until else "proposed"
        lines = (
            Line(grouped_fingerprint(key.id), label="OpenPGP key"),
            Line(f"{key.expires_at:%A %Y-%m-%d}", label="expires now"),
            Line(f"{day:%A %Y-%m-%d}", label=word),
            Line(),
            Line("Primary key and signing subkeys get the same date, all of them or none."),
        )
        return (Page("The new expiry", lines),)

    def question(self, state: ExtendState) -> Question:
        if state.until is not None:
            return Proceed("until", f"Extend the key until {state.until}?")
        proposed = proposed_day(self._bench).isoformat()
        prompt = f"New expiry as YYYY-MM-DD; nothing takes {proposed}"
        return TypedText("until", prompt, default=proposed, may_be_empty=True)

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        until = state.until
        if until is None:
            until = parse_day(str(answer)) if answer else proposed_day(self._bench)
        check_day(self._bench, self._bench.registry().find(state.key), until)
        return msgspec.structs.replace(state, until=until, accepted=True)


class _UnlockMinisign(_ExtendStep):
    """The minisign key signs the registry: proved before the OpenPGP key is touched."""

    id = "minisign"
    title = "Passphrase"

    def done(self, state: ExtendState) -> bool:
        return state.registered or self._key() is None or MINISIGN in self._bench.session

    def question(self, state: ExtendState) -> Question:
        key = self._key()
        return SecretText(MINISIGN, f"Passphrase of the minisign key {key.id if key else ''}")

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        progress.say(Line("unlocking the minisign key (this takes a few seconds)"))
        with cast("Secret", answer) as passphrase:
            key = self._key()
            if key is not None:
                unlocked = self._bench.minisign.unlock(key.public_key, passphrase)
                self._bench.session.hold(MINISIGN, unlocked)
        return state

    def _key(self) -> RegisteredKey | None:
        return self._bench.registry().signing_key(Algorithm.MINISIGN)


class _OpenPgpPassphrase(_ExtendStep):
    """Kept in the session; the extension itself proves it, in a copy of the key."""

    id = "openpgp"
    title = "Passphrase"

    def done(self, state: ExtendState) -> bool:
        return state.registered or GPG in self._bench.session

    def question(self, state: ExtendState) -> Question:
        return SecretText(GPG, f"Passphrase of the OpenPGP key {state.key[-16:]}")

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        self._bench.session.hold(GPG, cast("Secret", answer))
        return state


class _Extend(_ExtendStep):
    """Set the date in the vault, whole or not at all; repeated after a crash it is the same."""

    id = "extend"
    title = "Extend"
    commit_point = True
    unchanged = (
        "The registry is as it was, and no key was harmed; the same command can be repeated."
    )

    def done(self, state: ExtendState) -> bool:
        return bool(state.certificate)

    def question(self, state: ExtendState) -> Question:
        return Automatic("extend")

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        bench = self._bench
        check_clock(bench, state.clock)
        registered = bench.registry().find(state.key)
        with bench.session.lending(GPG) as held:
            passphrase = cast("Secret", held)
            info = bench.openpgp_life.extend(state.key, _day(state), passphrase)
        progress.say(Line(f"expires on {info.expires_at:%Y-%m-%d}", mark=Mark.OK))
        merged = bench.openpgp_life.merged_certificate([registered.public_key, info.certificate])
        check_grows(registered, merged)
        return msgspec.structs.replace(state, certificate=merged, expires_at=info.expires_at)


class _Register(_ExtendStep):
    """The merged certificate into the registry, signed by every key that can sign."""

    id = "register"
    title = "Registry"
    commit_point = True
    unchanged = (
        "The key in the vault has its new date; the registry is as it was. "
        "The same command goes on from here."
    )

    def done(self, state: ExtendState) -> bool:
        return state.registered

    def question(self, state: ExtendState) -> Question:
        return Automatic("register")

    def act(self, state: ExtendState, answer: Answer, progress: Progress) -> ExtendState:
        bench = self._bench
        registry, until = bench.registry(), _day(state)
        before = registry.find(state.key)
        # A crash may have come right after the registry was stored.
        if not expires_on(before.expires_at, until):
            changed = replace_certificate(
                registry,
                state.key,
                state.certificate,
                expires_at=state.expires_at,
                now=bench.clock.now(),
            )
            facts = {
                "keys": [{"algorithm": Algorithm.OPENPGP.value, "id": state.key}],
                "until": until.isoformat(),
                "expired_before": f"{before.expires_at:%Y-%m-%d}",
                "clock_compared": state.clock == YES,
                "command": f"key extend --until {until}",
            }
            sign_and_store(bench, changed, EXTENDED, facts)
        bench.session.wipe()
        progress.say(Line("the registry is signed", mark=Mark.OK))
        return msgspec.structs.replace(state, registered=True)


def _day(state: ExtendState) -> date:
    if state.until is None:
        raise RuntimeError("no day was chosen")
    return state.until


def _discard(bench: Workbench, state: ExtendState) -> None:
    """A date that was set cannot be taken back; the journal says that it was not registered."""
    if state.certificate and not state.registered:
        keys = [{"algorithm": Algorithm.OPENPGP.value, "id": state.key}]
        facts = {"keys": keys, "until": _day(state).isoformat(), "why": "not registered"}
        bench.journal.append(DISCARDED, facts)


def _outcome(bench: Workbench, state: ExtendState) -> Outcome:
    until = _day(state)
    clock = Line("compared with a watch", label="clock", mark=Mark.OK)
    if state.clock != YES:
        clock = Line("not compared with a watch", label="clock", mark=Mark.WARN)
    lines = (
        Line(grouped_fingerprint(state.key), label="OpenPGP key", mark=Mark.OK),
        Line(f"{until:%A %Y-%m-%d}", label="expires"),
        clock,
        Line(),
        Line("Next: publish the registry (key publish DIR) and commit the folder."),
        Line("Backups made before hold the old date: make new ones."),
    )
    data = {
        "key": state.key,
        "expires": until.isoformat(),
        "clock_compared": state.clock == YES,
        "registry_serial": bench.registry().serial,
    }
    return Outcome((Page("Extended", lines),), data)
