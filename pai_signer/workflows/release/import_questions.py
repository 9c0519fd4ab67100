"""What an import asks before it reads: version, commit, and the second source (IMP-4, IMP-7)."""

from typing import Final

import msgspec

from pai_signer.domain.manifest import is_sha256
from pai_signer.domain.progress import Progress
from pai_signer.domain.text import is_safe, safe_text
from pai_signer.errors import UsageError
from pai_signer.workflows.engine import Answer, Choice, Option, Question, Step, TypedText
from pai_signer.workflows.pick_directory import DirectoryState, checked_directory
from pai_signer.workflows.release.recognise import Found
from pai_signer.workflows.workbench import Workbench

#: Begins the names of the questions for typed digests.
DIGEST: Final = "digest."


class ImportState(DirectoryState, frozen=True, kw_only=True):
    """Where an import stands."""

    version: str = ""
    found: Found | None = None
    looked: bool = False
    #: A revision to tag; empty means the bundle's HEAD or the profile's branch.
    revision: str | None = None
    #: "none", "typed" or "folder"; empty until asked (IMP-4).
    second: str = ""
    second_directory: str = ""
    typed_digests: dict[str, str] = msgspec.field(default_factory=dict)
    finished: bool = False


class AskVersion(Step[ImportState]):
    """A bundle alone does not say which version it is for (IMP-7)."""

    id = "version"
    title = "Version"

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ImportState) -> bool:
        return bool(state.version)

    def question(self, state: ImportState) -> Question:
        return TypedText("version", "Which version is this, as the tag is written?")

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        return msgspec.structs.replace(state, version=self._bench.release_name(str(answer)))


class AskRevision(Step[ImportState]):
    """Which commit of the bundle to tag; empty for the bundle's HEAD, else the branch."""

    id = "commit"
    title = "Commit"

    def done(self, state: ImportState) -> bool:
        return state.revision is not None or (state.found is not None and not state.found.bundle)

    def question(self, state: ImportState) -> Question:
        prompt = "Commit or branch to tag (empty: the bundle's HEAD, else the main branch)"
        return TypedText("commit", prompt, default="", may_be_empty=True)

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        return msgspec.structs.replace(state, revision=checked_revision(str(answer)))


class AskSecondSource(Step[ImportState]):
    """Whether somebody else vouches for the digests too (IMP-4)."""

    id = "second-source"
    title = "Second source"

    def done(self, state: ImportState) -> bool:
        return bool(state.second) or (state.found is not None and not state.found.artifacts)

    def question(self, state: ImportState) -> Question:
        return Choice(
            "second",
            "Is there a second, independent source for the digests?",
            default="none",
            options=(
                Option("none", "no"),
                Option("typed", "yes, I type them"),
                Option("folder", "yes, in another folder or medium"),
            ),
        )

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        return msgspec.structs.replace(state, second=str(answer))


class AskSecondFolder(Step[ImportState]):
    """Where the second source's SHA256SUMS or .sha256 files are."""

    id = "second-folder"
    title = "Second source"

    def done(self, state: ImportState) -> bool:
        return state.second != "folder" or bool(state.second_directory)

    def question(self, state: ImportState) -> Question:
        return TypedText("second-folder", "Path of the second source's folder")

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        return msgspec.structs.replace(state, second_directory=checked_directory(str(answer)))


def checked_revision(text: str) -> str:
    """A revision that can be kept and shown; whether there is one the mirror says."""
    if not is_safe(text):
        raise UsageError(
            "IMP-6/revision",
            f"{safe_text(text, limit=120)!r} is neither a commit ID nor a branch name.",
            "Give 7 to 40 hex digits of a commit ID, or the plain name of a branch.",
        )
    return text


def checked_digest(text: str) -> str:
    """64 lower-case hex digits from a typed digest, or "" for one that is not known."""
    digest = "".join(text.split()).lower()
    if digest and not is_sha256(digest):
        raise UsageError(
            "IMP-4/typed-digest",
            f"That is not a SHA-256 of 64 hex digits: {len(digest)} characters.",
            "Type all 64 digits; groups and upper case are fine.",
        )
    return digest


class TypeDigests(Step[ImportState]):
    """Type one digest for each artifact; the step is taken once for each."""

    id = "typed-digests"
    title = "Second source"

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: ImportState) -> bool:
        return state.second != "typed" or self._next(state) is None

    def question(self, state: ImportState) -> Question:
        return TypedText(
            f"{DIGEST}{self._next(state)}",
            f"SHA-256 of {self._next(state)}, in hex (spaces are fine; empty: not known)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: ImportState, answer: Answer, progress: Progress) -> ImportState:
        digests = {**state.typed_digests, str(self._next(state)): checked_digest(str(answer))}
        return msgspec.structs.replace(state, typed_digests=digests)

    @staticmethod
    def _next(state: ImportState) -> str | None:
        names = state.found.artifacts if state.found else ()
        return next((name for name in names if name not in state.typed_digests), None)
