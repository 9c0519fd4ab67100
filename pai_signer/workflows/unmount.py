"""The step that ends every work on a medium: only a clean unmount makes it safe to remove."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from pai_signer.domain.page import Line, Mark
from pai_signer.domain.progress import Progress
from pai_signer.ports import Media
from pai_signer.workflows.engine import Answer, Automatic, Question, Step
from pai_signer.workflows.pick_directory import DirectoryState


class UnmountState(DirectoryState, frozen=True, kw_only=True):
    """The part of a state that the step fills in: None until then, False where it was a folder."""

    unmounted: bool | None = None


U = TypeVar("U", bound=UnmountState)


class Unmount(Step[U], Generic[U]):
    """Unmount the medium that ``directory`` is on (EXP-2)."""

    id = "unmount"
    title = "Unmount"
    unchanged = "The work on the medium is done; it is still mounted."

    def __init__(self, media: Media, was_used: Callable[[U], bool]) -> None:
        self._media = media
        self._was_used = was_used

    def done(self, state: U) -> bool:
        return state.unmounted is not None or not self._was_used(state)

    def question(self, state: U) -> Question:
        return Automatic("unmount")

    def act(self, state: U, answer: Answer, progress: Progress) -> U:
        unmounted = self._media.unmount(Path(state.directory))
        return msgspec.structs.replace(state, unmounted=unmounted)


def unmounted_line(state: UnmountState) -> Line:
    """What an outcome says of it."""
    if state.unmounted:
        return Line("unmounted: safe to remove", mark=Mark.OK)
    return Line("not a removable medium: nothing to unmount")
