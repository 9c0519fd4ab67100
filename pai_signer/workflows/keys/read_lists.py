"""The step in which the releases that are endorsed are read, one by one (KEY-5)."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from pai_signer.domain.endorsement import EndorsedRelease, Endorsement, parse_endorsement
from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Registry
from pai_signer.errors import BadSignature, UsageError
from pai_signer.workflows.ceremony.frame import CeremonyState
from pai_signer.workflows.engine import Actor, Answer, Question, Step, TypedText
from pai_signer.workflows.keys.compromise_papers import lists_to_sign
from pai_signer.workflows.workbench import Workbench

ENDORSE = "endorse"


class EndorsingState(CeremonyState, frozen=True, kw_only=True):
    """A ceremony that signs lists: the SHA-256 of each as it was read, by file name."""

    lists: dict[str, str] = msgspec.field(default_factory=dict)


E = TypeVar("E", bound=EndorsingState)


class ReadLists(Step[E], Generic[E]):
    """Every release of every list on a page of its own; confirmed by typing how many they are.

    The lists are stored with the ceremony: what was read is what will be signed.
    """

    id = "read-lists"
    title = "Read what stays good"
    actor = Actor.SECOND_MAINTAINER
    in_script = (
        "One reads version and digest of each release aloud; the other compares them with the "
        "receipts on paper and with what is published. A release that is not on the list will "
        "be refused; one that is on it stays good for ever.",
    )
    blanks = ("Number of releases on the list",)
    unchanged = "No list was signed, and the registry is as it was."

    def __init__(
        self,
        bench: Workbench,
        following: Callable[[E], Registry],
        is_over: Callable[[E], bool],
    ) -> None:
        """``following`` is the registry in which the keys are compromised."""
        self._bench = bench
        self._following = following
        self._is_over = is_over

    def done(self, state: E) -> bool:
        return bool(state.lists) or self._is_over(state)

    def pages(self, state: E) -> Sequence[Page]:
        return tuple(
            page for data in self._lists(state).values() for page in _pages(parse_endorsement(data))
        )

    def question(self, state: E) -> Question:
        lists = [parse_endorsement(data) for data in self._lists(state).values()]
        count = sum(len(endorsement.releases) for endorsement in lists)
        return TypedText(
            ENDORSE,
            "Were all of them really ours? Type how many releases you have read",
            must_equal=str(count),
            refusal=UsageError(
                "KEY-5/not-read",
                f"The list of endorsed releases ({count} of them) was not confirmed.",
                f"Read it, then confirm it by the number of releases (--{ENDORSE} {count}).",
            ),
        )

    def act(self, state: E, answer: Answer, progress: Progress) -> E:
        lists = self._lists(state)
        self._bench.ceremonies.save(state.ceremony, lists)
        return msgspec.structs.replace(state, lists=_digests(lists))

    def _lists(self, state: E) -> dict[str, bytes]:
        return lists_to_sign(self._bench, self._following(state), self._bench.clock.now())


def lists_as_read(bench: Workbench, state: EndorsingState) -> dict[str, bytes]:
    """The lists as they were read; ``BadSignature`` if a stored one is another by now."""
    stored = bench.ceremonies.load(state.ceremony)
    lists = {name: stored.get(name, b"") for name in state.lists}
    if _digests(lists) != state.lists:
        raise BadSignature(
            "KEY-5/list-changed",
            "A list of endorsed releases is not the one that was read.",
            "Do not use this workstation before you know who changed it. Discard this run.",
        )
    return lists


def _digests(lists: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in lists.items()}


def _pages(endorsement: Endorsement) -> Iterator[Page]:
    count = len(endorsement.releases)
    yield Page(
        "What the compromised key signed",
        (
            Line(endorsement.compromised, label="key"),
            Line(f"{endorsement.do_not_trust_after:%Y-%m-%d %H:%M} UTC", label="ours until"),
            Line(str(count), label="releases"),
            Line(f"entry {endorsement.journal.n}", label="journal"),
            Line(),
            Line(
                "The journal proves these releases to have been signed here. They stay good, "
                "with exactly these bytes; nothing else that the key signed does."
            ),
        ),
    )
    for number, release in enumerate(endorsement.releases, 1):
        yield Page(f"{release.version} ({number} of {count})", tuple(_lines(release, endorsement)))


def _lines(release: EndorsedRelease, endorsement: Endorsement) -> Iterator[Line]:
    is_late = release.signed_at > endorsement.do_not_trust_after
    mark = Mark.WARN if is_late else Mark.NONE
    yield Line(f"{release.signed_at:%Y-%m-%d %H:%M} UTC", label="signed on", mark=mark)
    if is_late:
        yield Line("After the key's last moment of trust: was it really you who signed it?")
    for signer in release.signed_by:
        yield Line(signer, label="by")
    yield from digest_lines("manifest", release.manifest_sha256 or "")
    yield from digest_lines("tag object", release.tag_oid or "")
    yield from digest_lines("commit", release.commit or "")
    yield Line(str(len(release.files)), label="files made")
