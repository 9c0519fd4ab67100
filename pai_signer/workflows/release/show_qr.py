"""The signatures of a release leave as QR codes on the screen, where no medium may (EXP-4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pai_signer.domain.artifact import Record
from pai_signer.domain.history import SignedRelease
from pai_signer.domain.page import Code, Line, Page, digest_lines
from pai_signer.domain.paper import MAX_FILE_BYTES
from pai_signer.domain.progress import Progress
from pai_signer.domain.qr_parts import QrPart, cut_for_codes, number_ranges, parse_numbers
from pai_signer.domain.receipt import text_name
from pai_signer.domain.registry import MINISIG_SUFFIX, OPENPGP_SUFFIX
from pai_signer.domain.text import safe_text
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import (
    Answer,
    Automatic,
    Choice,
    Option,
    Outcome,
    Proceed,
    Question,
    Step,
    TypedText,
    Workflow,
)
from pai_signer.workflows.release.export_release import (
    signed_release,
    staged_files,
    verify_staged,
)
from pai_signer.workflows.workbench import Workbench

#: The journal's event: what left, though on no medium.
SHOWN: Final = "release.shown"
#: The menu value for all that the online machine needs; no file is called so, for it has no dot.
ALL: Final = "all"
#: The session's note that what leaves was verified in this sitting.
_VERIFIED: Final = "verified for codes"
COLLECT: Final = "pai-signer release collect SCANS DEST"


class ShowQrState(Record, frozen=True, kw_only=True):
    """Which codes; ``parts`` as it was typed, empty for all of them."""

    version: str = ""
    file: str = ""
    parts: str = ""
    parts_asked: bool = False
    seen: bool = False


def show_qr(bench: Workbench, version: str = "") -> Workflow[ShowQrState]:
    """Build the workflow; refuses a version that has nothing signed."""
    name = bench.release_name(version) if version else ""
    if name:
        signed_release(bench, name)
    return Workflow(
        name="show-qr",
        key=name,
        title=f"{name or 'A release'} as QR codes",
        start=ShowQrState(version=name),
        steps=(_Release(bench), _File(bench), _Parts(bench), _Verify(bench), _Codes(bench)),
        outcome=lambda state: _outcome(bench, state),
    )


class _QrStep(Step[ShowQrState]):
    unchanged = "Nothing was shown, and the signatures in staging are as they were."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench


class _Release(_QrStep):
    """Pick a release, where none was named."""

    id = "version"
    title = "Release"

    def done(self, state: ShowQrState) -> bool:
        return bool(state.version)

    def question(self, state: ShowQrState) -> Question:
        releases = reversed(self._bench.history().releases)
        options = tuple(
            Option(r.version, f"{r.version}, signed {r.first_signed_at}") for r in releases
        )
        return Choice("version", "Which release?", options=options)

    def act(self, state: ShowQrState, answer: Answer, progress: Progress) -> ShowQrState:
        return msgspec.structs.replace(state, version=str(answer))


class _File(_QrStep):
    """All that the online machine needs, or one file."""

    id = "file"
    title = "Files"

    def done(self, state: ShowQrState) -> bool:
        return bool(state.file)

    def question(self, state: ShowQrState) -> Question:
        release = signed_release(self._bench, state.version)
        files = staged_files(self._bench, release)
        usual = _count_text(_usual(release, files))
        options = [Option(ALL, f"manifest, signatures and tag: {usual}")]
        for name, data in sorted(files.items()):
            is_small = len(data) <= MAX_FILE_BYTES
            label = f"{name}: {_count_text({name: data})}" if is_small else name
            options.append(Option(name, label, "" if is_small else "it is too large for codes"))
        return Choice("file", "What to show?", default=ALL, options=tuple(options))

    def act(self, state: ShowQrState, answer: Answer, progress: Progress) -> ShowQrState:
        chosen = str(answer)
        return msgspec.structs.replace(state, file=chosen, parts_asked=chosen == ALL)


class _Parts(_QrStep):
    """Some codes of one file again: those that the online machine says are missing."""

    id = "parts"
    title = "Parts"

    def done(self, state: ShowQrState) -> bool:
        return state.parts_asked

    def question(self, state: ShowQrState) -> Question:
        count = len(_all_parts(self._bench, state))
        prompt = f"Which of its {count} parts (as 3, 7-9; empty: all)?"
        return TypedText("parts", prompt, default="", may_be_empty=True)

    def act(self, state: ShowQrState, answer: Answer, progress: Progress) -> ShowQrState:
        typed = str(answer).strip()
        if typed:
            _numbers(typed, _all_parts(self._bench, state))
        return msgspec.structs.replace(state, parts=typed, parts_asked=True)


class _Verify(_QrStep):
    """Nothing unverified leaves, this way neither (SIG-5); and the journal knows of it."""

    id = "verify"
    title = "Verify"

    def done(self, state: ShowQrState) -> bool:
        return state.seen or _VERIFIED in self._bench.session

    def question(self, state: ShowQrState) -> Question:
        return Automatic("verify")

    def act(self, state: ShowQrState, answer: Answer, progress: Progress) -> ShowQrState:
        bench = self._bench
        release = signed_release(bench, state.version)
        verify_staged(bench, staged_files(bench, release))
        parts = _parts(bench, state)
        options = f" --file {state.file}" if state.file != ALL else ""
        options += f" --part '{state.parts}'" if state.parts else ""
        facts = {
            "version": state.version,
            "files": {name: release.files[name] for name in _shown(parts)},
            "command": f"release qr {state.version}{options}",
        }
        bench.journal.append(SHOWN, facts)
        bench.session.note(_VERIFIED)
        return state


class _Codes(_QrStep):
    """One page for each code."""

    id = "codes"
    title = "Scan"

    def done(self, state: ShowQrState) -> bool:
        return state.seen

    def pages(self, state: ShowQrState) -> Sequence[Page]:
        bench = self._bench
        parts = _parts(bench, state)
        release = signed_release(bench, state.version)
        mark = " REHEARSAL" if bench.info.rehearsal else ""
        codes = (
            Page(
                f"{state.version}{mark}",
                (
                    Line(part.name),
                    Line(f"part {part.number} of {part.count}; code {n} of {len(parts)}"),
                    Line(),
                    Line("SHA-256 of the whole file"),
                    *_narrow(release.files[part.name]),
                ),
                Code(bench.codes.draw(part.payload), part.rows),
            )
            for n, part in enumerate(parts, start=1)
        )
        return (_before(parts), *codes, _after(parts, release))

    def question(self, state: ShowQrState) -> Question:
        return Proceed("codes", "Enter: all codes were scanned.")

    def act(self, state: ShowQrState, answer: Answer, progress: Progress) -> ShowQrState:
        return msgspec.structs.replace(state, seen=True)


# --- what is shown ------------------------------------------------------------------------


def _usual(release: SignedRelease, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the online machine needs: all but the receipts, which are kilobytes for people."""
    receipts = {
        f"{name}{suffix}"
        for receipt in release.receipts
        for name in (receipt, text_name(receipt))
        for suffix in ("", MINISIG_SUFFIX, OPENPGP_SUFFIX)
    }
    return {name: data for name, data in sorted(files.items()) if name not in receipts}


def _count_text(files: Mapping[str, bytes]) -> str:
    count = sum(len(cut_for_codes(name, data)) for name, data in files.items())
    return "1 code" if count == 1 else f"{count} codes"


def _all_parts(bench: Workbench, state: ShowQrState) -> tuple[QrPart, ...]:
    """Every part of the chosen file or files."""
    release = signed_release(bench, state.version)
    files = staged_files(bench, release)
    chosen = _usual(release, files) if state.file == ALL else {state.file: files[state.file]}
    return tuple(part for name, data in chosen.items() for part in cut_for_codes(name, data))


def _parts(bench: Workbench, state: ShowQrState) -> tuple[QrPart, ...]:
    parts = _all_parts(bench, state)
    numbers = _numbers(state.parts, parts) if state.parts else range(1, len(parts) + 1)
    return tuple(parts[number - 1] for number in numbers)


def _numbers(typed: str, parts: Sequence[QrPart]) -> tuple[int, ...]:
    numbers = parse_numbers(typed, len(parts))
    if numbers is None:
        raise UsageError(
            "EXP-4/part-number",
            f"'{safe_text(typed, limit=80)}' does not name parts of {parts[0].name}.",
            f"Give numbers from 1 to {len(parts)}, as 3, 7-9.",
        )
    return numbers


def _before(parts: Sequence[QrPart]) -> Page:
    lines = (
        Line(f"{len(parts)} codes, one to a page." if len(parts) != 1 else "One code."),
        Line("Scan each with any reader into one text file, a line for each code:"),
        Line("zbarcam --raw -Sdisable -Sqrcode.enable >> SCANS", label="with a camera"),
        Line("copy the text that it shows into a line of the file", label="with a phone"),
        Line("the rows beside the code, with or without their spaces", label="by hand"),
        Line("Order does not matter, nor a code that was read twice."),
        Line("Behind each row to type stand the first digits of its SHA-256, as a check."),
        Line(COLLECT, label="then, online"),
    )
    return Page("QR codes", lines)


def _after(parts: Sequence[QrPart], release: SignedRelease) -> Page:
    lines = [Line("These were shown. On the online machine: " + COLLECT)]
    lines.append(Line("It asks for what is missing, and shows the same SHA-256:"))
    for name, numbers in _shown(parts).items():
        lines.append(Line(number_ranges(numbers), label=name))
        lines += digest_lines("", release.files[name])
    return Page("The last code was shown", tuple(lines))


def _shown(parts: Sequence[QrPart]) -> dict[str, list[int]]:
    """The numbers of the parts by the file that they are of."""
    shown: dict[str, list[int]] = {}
    for part in parts:
        shown.setdefault(part.name, []).append(part.number)
    return shown


def _narrow(digest_hex: str) -> Iterator[Line]:
    """A digest in groups of 8, three to a line: beside a code there are 33 columns."""
    for row in range(0, len(digest_hex), 24):
        digits = digest_hex[row : row + 24]
        yield Line(" ".join(digits[i : i + 8] for i in range(0, len(digits), 8)))


def _outcome(bench: Workbench, state: ShowQrState) -> Outcome:
    parts = _parts(bench, state)
    release = signed_release(bench, state.version)
    shown = _shown(parts)
    lines = [Line(number_ranges(numbers), label=name) for name, numbers in shown.items()]
    lines.append(Line(f"Next, on the online machine: {COLLECT}"))
    data: dict[str, Any] = {
        "version": state.version,
        "files": {name: release.files[name] for name in shown},
        "payloads": [part.payload for part in parts],
    }
    return Outcome((Page(f"Shown of {state.version}: parts", tuple(lines)),), data)
