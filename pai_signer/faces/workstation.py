"""The app's desk over an open workbench: state, menu, conversations (FACE-1)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Final

from pai_signer.domain.host import HostFacts
from pai_signer.domain.page import Line, Mark, Page
from pai_signer.domain.policy import air_gap_problems
from pai_signer.domain.registry import Algorithm
from pai_signer.errors import SignerError
from pai_signer.faces.desk import Action, HomeView, JournalLine, StatusBar
from pai_signer.faces.journal_text import journal_line
from pai_signer.faces.menu_reasons import NOT_SIGNED, ROTATED, why_not, why_not_away
from pai_signer.ports import Medium
from pai_signer.workflows import catalogue
from pai_signer.workflows.ceremony.records import ceremonies_page, held_ceremonies
from pai_signer.workflows.custody.backup_status import custody_pages
from pai_signer.workflows.discard_unfinished import discard_unfinished, shown_title
from pai_signer.workflows.engine import Conversation
from pai_signer.workflows.keys.sign_registry import GPG, MINISIGN
from pai_signer.workflows.overview import check_pages, home_page, unfinished
from pai_signer.workflows.release.unsigned_part import unsigned_part
from pai_signer.workflows.script import MemoryStates
from pai_signer.workflows.show import keys_pages, releases_outcome
from pai_signer.workflows.workbench import Workbench

#: The menu's own action beside the catalogue's: forget a run that is not to be resumed.
DISCARD: Final = "unfinished.discard"


class WorkstationDesk:
    """Implements ``Desk``; ``resources`` are given back when the app ends."""

    def __init__(self, bench: Workbench, resources: ExitStack, notes: tuple[str, ...] = ()) -> None:
        self._bench = bench
        self._resources = resources
        #: What a crash had left, and how it was settled: shown on Home (SIG-6).
        self._notes = notes

    @property
    def is_rehearsal(self) -> bool:
        """Whether this vault is for practice only."""
        return self._bench.info.rehearsal

    def title(self) -> str:
        """The project."""
        return f"pai-signer: {self._bench.profile.project.name}"

    def home(self) -> HomeView:
        """Keys, custody, last release."""
        page = home_page(self._bench)
        notes = tuple(Line(note, label="after a crash", mark=Mark.WARN) for note in self._notes)
        return HomeView((Page(page.title, (*notes, *page.lines)),))

    def actions(self) -> tuple[Action, ...]:
        """Unfinished work first, then every entry of the catalogue with what it applies to."""
        return (*self._resumable(), *self._catalogue())

    def _resumable(self) -> Iterator[Action]:
        all_work = unfinished(self._bench)
        for work in all_work:
            if work.origin.entry:
                label = f"Resume: {shown_title(work)} (at {work.step or 'the end'})"
                yield Action(work.origin.entry, label, arguments=work.origin.arguments)
        if all_work:
            yield Action(DISCARD, "Discard unfinished work")

    def _catalogue(self) -> Iterator[Action]:
        reasons = why_not(self._bench)
        for entry in catalogue.CATALOGUE:
            reason = reasons.get(entry.id, "")
            match entry.id:
                case "release.sign":
                    yield from self._for_versions(entry, self._signable(), "nothing to sign yet")
                case "release.export":
                    yield from self._for_versions(entry, self._exportable(), NOT_SIGNED)
                case "key.generate":
                    yield self._generation(entry, reason)
                case _:
                    yield Action(entry.id, entry.label, reason, group=entry.group.value)
                    if entry.id in ROTATED:
                        yield self._rotation_away(entry, reason)

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group but Home."""
        return tuple(group.value for group in catalogue.Group if group is not catalogue.Group.HOME)

    def group_pages(self, group: str) -> tuple[Page, ...]:
        """What there is to know above what can be done: releases, ledger, registry, ceremonies."""
        if group == catalogue.Group.RELEASES.value:
            return releases_outcome(self._bench).pages
        if group == catalogue.Group.BACKUPS.value:
            return custody_pages(self._bench)
        if group == catalogue.Group.CEREMONIES.value and held_ceremonies(self._bench):
            return (*keys_pages(self._bench), ceremonies_page(self._bench))
        return keys_pages(self._bench)

    def _generation(self, entry: catalogue.Entry, reason: str) -> Action:
        """Of both keys, or of the one that is missing: it was revoked, or never made."""
        registry = self._bench.registry()
        in_use = {a for a in Algorithm if registry.signing_key(a)}
        label, arguments = entry.label, {}
        if in_use == {Algorithm.MINISIGN}:
            label, arguments = "Generate an OpenPGP key", {"only": GPG}
        elif in_use == {Algorithm.OPENPGP}:
            label, arguments = "Generate a minisign key", {"only": MINISIGN}
        return Action(entry.id, label, reason, arguments=arguments, group=entry.group.value)

    def _rotation_away(self, entry: catalogue.Entry, reason: str) -> Action:
        """The same ceremony where the old key is in other hands (KEY-5)."""
        label = f"{entry.label}: compromised"
        return Action(
            entry.id,
            label,
            why_not_away(self._bench, entry.id, reason),
            arguments={"reason": "compromised"},
            group=entry.group.value,
        )

    @staticmethod
    def _for_versions(
        entry: catalogue.Entry, versions: list[str], why_none: str
    ) -> Iterator[Action]:
        if not versions:
            yield Action(entry.id, entry.label, why_none)
        for version in versions:
            yield Action(entry.id, f"{entry.label}: {version}", arguments={"version": version})

    def _signable(self) -> list[str]:
        return [v for v in self._bench.releases.versions() if self._has_unsigned(v)]

    def _has_unsigned(self, version: str) -> bool:
        if self._bench.releases.load_candidate(version) is None:
            return False
        try:
            unsigned_part(self._bench, version, "all")
        except SignerError:
            return False
        return True

    def _exportable(self) -> list[str]:
        """The newest first, so that an old one is never exported by mistake."""
        releases = self._bench.history().releases
        return [release.version for release in reversed(releases)]

    def begin(self, action_id: str, arguments: Mapping[str, str]) -> Conversation[Any]:
        """Start or resume."""
        if action_id == DISCARD:
            return self._discarding()
        return catalogue.begin(self._bench, action_id, arguments)

    def _discarding(self) -> Conversation[Any]:
        """Not saved itself: until it is over, the unfinished work is what there is to resume."""
        bench = self._bench
        workflow = discard_unfinished(
            bench, lambda origin: catalogue.begin(bench, origin.entry, origin.arguments)
        )
        return Conversation(workflow, MemoryStates(), bench.session)

    def journal_lines(self) -> tuple[JournalLine, ...]:
        """Every entry, oldest first."""
        return tuple(journal_line(entry) for entry in self._bench.journal.entries())

    def checks(self) -> tuple[Page, ...]:
        """The host's checks."""
        return check_pages(self._bench)

    def status(self) -> StatusBar:
        """Air gap and clock."""
        return status_bar(self._bench.host.facts(), self._bench.clock.now())

    def media(self) -> tuple[Medium, ...]:
        """Removable media."""
        return self._bench.media.list()

    def lock(self) -> None:
        """Forget every secret."""
        self._bench.session.wipe()

    def close(self) -> None:
        """Wipe and release the vault."""
        self._resources.close()


def status_bar(host: HostFacts, now: datetime) -> StatusBar:
    """The right half of the title row."""
    unknown = host.interfaces is None or host.routes is None
    word = "UNKNOWN" if unknown else "CONNECTED" if air_gap_problems(host) else "OFFLINE"
    return StatusBar(word, f"{now:%d %b %Y %H:%M} UTC")
