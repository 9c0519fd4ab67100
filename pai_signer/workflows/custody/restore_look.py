"""What is looked at before a workstation is restored: medium, paper card, newest head (CUS-4)."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from pai_signer.domain.history import read_history
from pai_signer.domain.journal import JournalEntry
from pai_signer.domain.noted_head import missing_entries, missing_from, parse_noted_head
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm, RegisteredKey
from pai_signer.domain.registry_rules import check_successor
from pai_signer.errors import MediumError, PolicyRefused, SignerError, UntrustedKey
from pai_signer.ports import FoundSet
from pai_signer.workflows.custody.paper_card import card_question, compare_with_card
from pai_signer.workflows.custody.restorable import (
    OF_ROTATION,
    Restorable,
    read_sets,
    restorable,
)
from pai_signer.workflows.custody.restore_state import (
    FoundChoice,
    RestoreState,
    RestoreStep,
    not_new,
)
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Question,
    TypedText,
)
from pai_signer.workflows.pick_directory import checked_directory


class Look(RestoreStep):
    """Which sets lie there, and which of them have a whole copy."""

    id = "look"
    title = "Look at the medium"

    def done(self, state: RestoreState) -> bool:
        return bool(state.found)

    def question(self, state: RestoreState) -> Question:
        return Automatic("look")

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        progress.say(Line("reading the medium, all three copies"))
        found = tuple(
            self._choice(state.directory, each)
            for each in read_sets(self._bench, state.directory, progress)
        )
        born = self._bench.journal.entries()[:1]
        return msgspec.structs.replace(state, found=found, born_as=born[0].hash if born else "")

    def _choice(self, directory: str, found: FoundSet) -> FoundChoice:
        try:
            read = restorable(self._bench, found)
        except SignerError as error:
            return FoundChoice(
                number=found.number,
                shown=f"{found.number:06}",
                why_not=error.summary,
                of_rotation=error.code == OF_ROTATION,
            )
        self._media.keep(directory, read)
        facts = read.facts
        shown = f"{found.number:06}  {facts.custodian}, {facts.made_at:%Y-%m-%d %H:%M} UTC"
        return FoundChoice(number=found.number, shown=shown)


class ChooseSet(RestoreStep):
    """The newest set, unless somebody says otherwise."""

    id = "set"
    title = "Which set"

    def done(self, state: RestoreState) -> bool:
        return bool(state.manifest_sha256)

    def question(self, state: RestoreState) -> Question:
        # The set of a rotation holds one key and no registry that knows it: it is none to restore.
        whole = [found for found in state.found if not found.of_rotation]
        newest = (whole or list(state.found))[0]
        return Choice(
            "set",
            "Which of the sets on this medium?",
            default=None if newest.why_not else str(newest.number),
            refusal=PolicyRefused(
                "CUS-4/newest-set",
                f"The newest set on this medium cannot be restored from: {newest.why_not}",
                "Use another medium, or choose an older set (--set NUMBER).",
            ),
            options=tuple(Option(str(f.number), f.shown, f.why_not) for f in state.found),
        )

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        number = int(str(answer))
        sets = {found.number: found for found in read_sets(self._bench, state.directory, progress)}
        if number not in sets:
            raise MediumError(
                "CUS-4/no-such-set",
                f"Set {number:06} is not on this medium any more.",
                "Plug in the same medium as before, or discard this and begin again.",
            )
        read = restorable(self._bench, sets[number])
        self._check_clock(read.entries)
        self._check_new(read.entries)
        self._media.keep(state.directory, read)
        for line in read.damaged:
            progress.say(Line(line, mark=Mark.WARN))
        return msgspec.structs.replace(state, number=number, manifest_sha256=read.manifest_sha256)

    def _check_new(self, entries: Sequence[JournalEntry]) -> None:
        """A journal of its own is never replaced; the one that a crash left is the medium's."""
        mine = self._bench.journal.entries()
        if len(mine) > 1 and mine[: len(entries)] != tuple(entries):
            raise not_new()

    def _check_clock(self, entries: Sequence[JournalEntry]) -> None:
        now, last = self._bench.clock.now(), entries[-1].time
        if now < last:
            raise PolicyRefused(
                "POL-8/clock",
                f"The clock says {now:%Y-%m-%d %H:%M} UTC, before the last entry of the journal "
                f"on the medium, of {last:%Y-%m-%d %H:%M}.",
                "Compare it with a watch and set it (as root: date -u -s 'YYYY-MM-DD HH:MM').",
            )


class _ConfirmKey(RestoreStep):
    """Somebody types a key from paper: the medium cannot say that it is the right one."""

    _algorithm: ClassVar[Algorithm]

    def done(self, state: RestoreState) -> bool:
        return self._algorithm in state.confirmed or self._key(state) is None

    def _key(self, state: RestoreState) -> RegisteredKey | None:
        """The key that signed everything on the medium."""
        return self._media.first(state).registry.signing_key(self._algorithm)

    def pages(self, state: RestoreState) -> Sequence[Page]:
        facts = self._media.first(state).facts
        lines = (
            Line(facts.custodian, label="custodian"),
            Line(f"{facts.number:06} of {facts.made_at:%Y-%m-%d %H:%M} UTC", label="set"),
            Line(),
            Line("Whoever could change this medium could change every fingerprint on it."),
            Line("So take your own paper card, and type what stands there, in full."),
        )
        return (Page("The medium cannot vouch for itself", lines),)

    def question(self, state: RestoreState) -> Question:
        return card_question(self._algorithm, "From paper")

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        key = self._key(state)
        if key is None:
            raise RuntimeError("there is no key to compare")
        you = self._bench.info.maintainer_name
        compare_with_card(
            key,
            str(answer),
            step=self.id,
            at=self._bench.clock.now(),
            read_by=you,
            typed_by=you,
        )
        return msgspec.structs.replace(state, confirmed=(*state.confirmed, self._algorithm))


class ConfirmMinisign(_ConfirmKey):
    """The whole public key, for its ID is random and proves nothing."""

    id = "confirm-minisign"
    title = "The minisign key, from paper"
    _algorithm = Algorithm.MINISIGN


class ConfirmOpenPgp(_ConfirmKey):
    """The full fingerprint."""

    id = "confirm-gpg"
    title = "The OpenPGP key, from paper"
    _algorithm = Algorithm.OPENPGP


class AskSecond(RestoreStep):
    """Another custodian's medium may have been made later, and then it knows more."""

    id = "second-medium"
    title = "A second medium"

    def done(self, state: RestoreState) -> bool:
        return state.second is not None

    def pages(self, state: RestoreState) -> Sequence[Page]:
        head = self._media.first(state).entries[-1]
        lines = (
            Line(f"{head.n}, of {head.time:%Y-%m-%d %H:%M} UTC", label="last entry here"),
            Line(),
            Line(
                "What was signed after that, this medium does not know. Another custodian's "
                "medium may: plug it in now, if there is one."
            ),
        )
        return (Page("How far its journal goes", lines),)

    def question(self, state: RestoreState) -> Question:
        prompt = "Folder of a second backup medium (empty: there is none)"
        return TypedText(self.id, prompt, default="", may_be_empty=True)

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        if not str(answer).strip():
            return msgspec.structs.replace(state, second="")
        directory = checked_directory(str(answer).strip())
        first = self._media.first(state)
        second = restorable(self._bench, read_sets(self._bench, directory, progress)[0])
        self._check_same_keys(first, second)
        more = missing_from(first.entries, second.entries)
        if more > 0:
            check_successor(first.registry, second.registry)
        self._media.keep(directory, second)
        text = f"its journal has {more} entries more, and is taken" if more > 0 else "not newer"
        progress.say(Line(text, label="second medium", mark=Mark.OK))
        return msgspec.structs.replace(
            state, second=directory, second_sha256=second.manifest_sha256
        )

    @staticmethod
    def _check_same_keys(first: Restorable, second: Restorable) -> None:
        """Only what the confirmed keys signed can be believed."""
        for algorithm in Algorithm:
            one, other = (r.registry.signing_key(algorithm) for r in (first, second))
            if (one.id if one else "") != (other.id if other else "") or (
                algorithm is Algorithm.MINISIGN
                and one is not None
                and other is not None
                and one.public_key != other.public_key
            ):
                raise UntrustedKey(
                    "CUS-4/second-keys",
                    f"The second medium is signed by another {algorithm.value} key than the one "
                    "that was typed from paper.",
                    "If the keys were rotated in between, restore from the newer medium.",
                )


class AskHead(RestoreStep):
    """The newest head that anybody noted shows whether entries are missing."""

    id = "head"
    title = "The newest head of the journal"

    def done(self, state: RestoreState) -> bool:
        return state.head is not None

    def pages(self, state: RestoreState) -> Sequence[Page]:
        entries = self._media.newest(state).entries
        releases = read_history(entries).releases
        last = releases[-1].version if releases else "none"
        lines = (
            Line(f"{entries[-1].n}", label="last entry"),
            Line(last, label="last release"),
            Line(),
            Line(
                "Each published receipt names the journal's newest entry of its time, and its "
                "head in words. Look for the newest one, and for what stands on paper."
            ),
        )
        return (Page("Is this journal the newest?", lines),)

    def question(self, state: RestoreState) -> Question:
        prompt = "Its number, then its hash or its words (empty: nobody knows one)"
        return TypedText(self.id, prompt, default="", may_be_empty=True)

    def act(self, state: RestoreState, answer: Answer, progress: Progress) -> RestoreState:
        text = " ".join(str(answer).split())
        missing = 0
        if text:
            missing = missing_entries(self._media.newest(state).entries, parse_noted_head(text))
        if missing:
            line = f"{missing} entries are missing: it is older than that"
            progress.say(Line(line, label="journal", mark=Mark.FAIL))
        return msgspec.structs.replace(state, head=text, missing=missing)
