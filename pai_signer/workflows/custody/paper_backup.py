"""A third copy on paper: pages with QR codes and rows to type, made from a medium (CUS-1).

Only what is encrypted already goes onto the pages, so no secret is asked for. Nothing is
said to be done before every page was read again, by another program than drew it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pai_signer.domain import custody
from pai_signer.domain.backup import (
    MINISIGN_KEY_NAME,
    OPENPGP_SECRET_NAME,
    REVOCATIONS_NAME,
    BackupFacts,
)
from pai_signer.domain.openpgp import grouped_fingerprint
from pai_signer.domain.page import Line, Mark, Page, digest_lines
from pai_signer.domain.paper import cut_files
from pai_signer.domain.paper_pages import PaperFacts, page_test, render_sheets
from pai_signer.domain.progress import Progress
from pai_signer.domain.registry import Algorithm
from pai_signer.domain.text import safe_text
from pai_signer.errors import FormatError, MediumError, PolicyRefused, UsageError
from pai_signer.workflows.custody.judge_set import JudgedSet, judged_sets
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Outcome,
    Question,
    Step,
    Workflow,
)
from pai_signer.workflows.inner_step import InnerStep
from pai_signer.workflows.pick_directory import (
    PickMedium,
    TypeFolder,
    given_directory,
)
from pai_signer.workflows.unmount import Unmount, UnmountState, unmounted_line
from pai_signer.workflows.workbench import Workbench

#: The journal's event; its facts name the set, the pages' file and what was put on them.
PRINTED: Final = "backup.paper"

FROM: Final = "Which backup shall be put on paper?"
HINT: Final = "Verify the medium, which repairs what it can: pai-signer backup verify"
TO: Final = "Where to write the pages, to be printed?"

#: What goes onto paper; everything else of a set is public, or only for this program.
ON_PAPER: Final = (MINISIGN_KEY_NAME, OPENPGP_SECRET_NAME, REVOCATIONS_NAME)


class FoundBackup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One set that lies on the medium, for the choice among them."""

    number: int
    shown: str
    #: Why it cannot be put on paper; empty where it can.
    why_not: str = ""


class PaperState(UnmountState, frozen=True, kw_only=True):
    """Where it stands: ``source`` is the backup medium, ``directory`` where the pages go."""

    source: UnmountState = UnmountState()
    found: tuple[FoundBackup, ...] = ()
    #: Of the set; 0 until it is chosen.
    number: int = 0
    file: str = ""
    sha256: str = ""
    pages: int = 0
    #: A page to try before the paper is put away: its name, the command, what it prints.
    test: tuple[str, str, str] | None = None


def paper_backup(
    bench: Workbench, source: str = "", directory: str = "", number: str = ""
) -> Workflow[PaperState]:
    """Build the workflow; nothing is asked for but where from and where to.

    ``UsageError`` for a ``number`` that is none.
    """
    if number and not (number.isascii() and number.isdecimal() and int(number)):
        raise UsageError(
            "CUS-1/set-number",
            f"{safe_text(number, limit=40)!r} is no number of a backup set.",
            "Give the six digits in the names of its folders.",
            unchanged="Nothing was read and nothing was written.",
        )
    return Workflow(
        name="backup-paper",
        key="",
        title="Backup on paper",
        start=PaperState(
            source=UnmountState(directory=given_directory(source)),
            directory=given_directory(directory),
            number=int(number or 0),
        ),
        steps=(
            _of_source(PickMedium(bench.media, FROM, read_only=True)),
            _of_source(TypeFolder(FROM)),
            _Look(bench),
            _ChooseSet(),
            PickMedium(bench.media, TO),
            TypeFolder(TO),
            _Write(bench),
            Unmount(bench.media, lambda state: bool(state.file)),
            _of_source(Unmount(bench.media, lambda source: bool(source.directory))),
        ),
        outcome=_outcome,
    )


def _of_source(inner: Step[UnmountState]) -> Step[PaperState]:
    """The same steps for the medium with the backup as for the one that the pages go to."""
    return InnerStep(
        inner,
        get=lambda state: state.source,
        put=lambda state, source: msgspec.structs.replace(state, source=source),
        is_wanted=lambda _state: True,
        suffix="-source",
    )


class _Look(Step[PaperState]):
    """Which sets lie there; each is looked at again when it is printed."""

    id = "look"
    title = "Backup on paper"
    unchanged = "Nothing was written."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: PaperState) -> bool:
        return bool(state.found)

    def question(self, state: PaperState) -> Question:
        return Automatic("look")

    def act(self, state: PaperState, answer: Answer, progress: Progress) -> PaperState:
        sets = _sets(self._bench, state, progress)
        found = tuple(_found(one) for one in sets)
        number = state.number or (found[0].number if len(found) == 1 else 0)
        if number:
            _chosen(sets, number)
        return msgspec.structs.replace(state, found=found, number=number)


def _sets(bench: Workbench, state: PaperState, progress: Progress) -> tuple[JudgedSet, ...]:
    """Every set on the medium, newest first; ``MediumError`` where there is none."""
    directory = state.source.directory
    sets = judged_sets(bench, Path(directory), progress)
    if not sets:
        raise MediumError(
            "CUS-1/no-backup",
            f"There is no backup of {bench.profile.project.name} in '{directory}'.",
            "Give the top of the medium, above the folders with -a, -b and -c in their names.",
        )
    return sets


def _chosen(sets: Sequence[JudgedSet], number: int) -> tuple[BackupFacts, Mapping[str, bytes]]:
    """Facts and files of the set of this number, which has to be whole and signed.

    ``MediumError`` where it is not there or not readable, else ``FormatError``.
    """
    for one in sets:
        if one.number != number:
            continue
        if one.condition.outcome is custody.Outcome.UNREADABLE:
            raise MediumError("CUS-2/unreadable", _why_not(one), HINT)
        if one.facts is None or one.condition.outcome is not None:
            raise FormatError("CUS-2/damaged", _why_not(one), HINT)
        return one.facts, one.files
    there = ", ".join(f"{one.number:06}" for one in sets)
    raise MediumError(
        "CUS-1/no-such-set",
        f"Backup set {number:06} is not on this medium; there is {there}.",
        "Give the number of one that is there, or plug in the medium that has it.",
    )


def _found(one: JudgedSet) -> FoundBackup:
    facts = one.facts
    if facts is None:
        return FoundBackup(one.number, f"{one.number:06}", _why_not(one))
    shown = f"{one.number:06}  {facts.custodian}, {facts.made_at:%Y-%m-%d}"
    return FoundBackup(one.number, shown, _why_not(one) if one.condition.outcome else "")


def _why_not(one: JudgedSet) -> str:
    return f"The set {one.number:06} is not whole and signed: {'; '.join(one.condition.texts)}."


class _ChooseSet(Step[PaperState]):
    """One of several sets; the newest unless somebody says otherwise, or it is damaged."""

    id = "set"
    title = "Backup on paper"
    unchanged = _Look.unchanged

    def done(self, state: PaperState) -> bool:
        return state.number > 0

    def question(self, state: PaperState) -> Question:
        newest = state.found[0]
        options = tuple(Option(str(f.number), f.shown, f.why_not) for f in state.found)
        refusal = PolicyRefused(
            "CUS-1/paper-set",
            f"The newest backup set there cannot be put on paper: {newest.why_not}",
            f"{HINT}, or choose an older one with --set.",
        )
        default = None if newest.why_not else str(newest.number)
        return Choice("set", FROM, default=default, refusal=refusal, options=options)

    def act(self, state: PaperState, answer: Answer, progress: Progress) -> PaperState:
        return msgspec.structs.replace(state, number=int(str(answer)))


class _Write(Step[PaperState]):
    """Make the pages, read them again, write them, journal it."""

    id = "write"
    title = "Backup on paper"
    commit_point = True
    unchanged = "The backup on its medium is as it was; it was only read."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: PaperState) -> bool:
        return bool(state.file)

    def question(self, state: PaperState) -> Question:
        return Automatic("write")

    def act(self, state: PaperState, answer: Answer, progress: Progress) -> PaperState:
        bench = self._bench
        self._check_apart(state)
        facts, held = _chosen(_sets(bench, state, progress), state.number)
        files = cut_files({name: held[name] for name in ON_PAPER if name in held})
        sheets = render_sheets(paper_facts(bench, facts), files)
        stem = f"{bench.profile.project.slug}-backup-{state.number:06}-paper"
        pdf = bench.paper.render(stem, sheets, progress)
        bench.destinations.write_release(
            Path(state.directory), stem, {f"{stem}.pdf": pdf}, progress
        )
        digest, source = hashlib.sha256(pdf).hexdigest(), state.source.directory
        bench.journal.append(
            PRINTED,
            {
                "custodian": facts.custodian,
                "set_number": state.number,
                "medium": msgspec.to_builtins(facts.medium),
                "folder": stem,
                "sha256": digest,
                "pages": len(sheets),
                "files": {file.name: file.sha256 for file in files[1:]},
                "command": f"backup paper {source} {state.directory} --set {state.number}",
            },
        )
        return msgspec.structs.replace(
            state,
            file=f"{state.directory}/{stem}/{stem}.pdf",
            sha256=digest,
            pages=len(sheets),
            test=page_test(files[1], 0),
        )

    def _check_apart(self, state: PaperState) -> None:
        """The pages go to a printer, and the backup must not travel with them."""
        source, target = Path(state.source.directory), Path(state.directory)
        identify = self._bench.media.identify
        backup = identify(source)
        if target.is_relative_to(source) or backup.same_as(identify(target)):
            raise PolicyRefused(
                "CUS-1/paper-medium",
                "The pages would be written to the medium with the backup on it.",
                "Give another medium: this one goes to a printer, and the backup must not.",
            )


def paper_facts(bench: Workbench, facts: BackupFacts) -> PaperFacts:
    """What the pages say of the set and its keys, as the registry has them."""
    shown = []
    for key in facts.keys:
        registered = bench.registry().find(key.id)
        text = (
            f"{key.id}  {registered.public_key}"
            if key.algorithm is Algorithm.MINISIGN
            else grouped_fingerprint(key.id)
        )
        shown.append((key.algorithm.value, text))
    return PaperFacts(
        project=facts.project,
        rehearsal=facts.rehearsal,
        custodian=facts.custodian,
        number=facts.number,
        made_at=facts.made_at,
        keys=tuple(shown),
    )


def _outcome(state: PaperState) -> Outcome:
    name, command, digest = state.test or ("", "", "")
    written: Sequence[Line] = (
        Line(state.file, label="written", mark=Mark.OK),
        Line(f"{state.pages} pages; each was read again before it counted", mark=Mark.OK),
        *digest_lines("SHA-256", state.sha256),
        unmounted_line(state),
        unmounted_line(state.source),
    )
    print_it = (
        Line("Print at full size, on a printer at a cable: one in a network keeps copies."),
        Line("Then wipe the medium that went there. The pages hold encrypted keys, no passphrase."),
        Line(),
        Line("Before you put the paper away, scan one page and try it:"),
        Line(name, label="scan page 2 as"),
        Line(command, label="then run"),
        *digest_lines("it must print", digest),
        Line(),
        Line("Put it apart from the medium with the backup, and from the passphrase."),
    )
    pages = (Page("The pages are written", tuple(written)), Page("Next", print_it))
    data = {"file": state.file, "sha256": state.sha256, "pages": state.pages, "set": state.number}
    return Outcome(pages, data)
