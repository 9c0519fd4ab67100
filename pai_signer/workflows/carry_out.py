"""The steps that carry something out onto a medium, or leave it where it is (EXP-1).

For what a person may carry out now, another time or not at all.
"""

import dataclasses
from typing import Final, Generic, TypeVar

import msgspec

from pai_signer.domain.progress import Progress
from pai_signer.ports import Media
from pai_signer.workflows.engine import Answer, Choice, Option, Question, Step
from pai_signer.workflows.pick_directory import DirectoryState, PickMedium, TypeFolder

#: The menu value for carrying nothing out; no device is called so.
STAYS: Final = "stays"


class CarryOutState(DirectoryState, frozen=True, kw_only=True):
    """The part of a state that these steps fill in; ``stays`` where nothing is carried out."""

    stays: bool = False


C = TypeVar("C", bound=CarryOutState)


@dataclasses.dataclass(frozen=True)
class CarryOut:
    """What these steps say; ``instead`` is the menu line for carrying nothing out."""

    title: str
    purpose: str
    instead: str
    unchanged: str


def carry_out_steps(media: Media, what: CarryOut) -> tuple[Step[C], ...]:
    """A medium, a folder, or neither: that is what no answer means."""
    return _Pick(media, what), _Folder(what)


class _Pick(PickMedium[C], Generic[C]):
    """One of the media, a folder that will be typed, or neither."""

    def __init__(self, media: Media, what: CarryOut) -> None:
        super().__init__(media, what.purpose)
        self.title, self.unchanged = what.title, what.unchanged
        self._instead = what.instead

    def done(self, state: C) -> bool:
        return state.stays or super().done(state)

    def question(self, state: C) -> Question:
        options = (*self._options(), Option(STAYS, self._instead))
        return Choice("medium", self._purpose, default=STAYS, options=options)

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        if answer == STAYS:
            return msgspec.structs.replace(state, stays=True)
        return super().act(state, answer, progress)


class _Folder(TypeFolder[C], Generic[C]):
    """Type the folder's path, unless it was decided to carry nothing out."""

    def __init__(self, what: CarryOut) -> None:
        super().__init__(what.purpose)
        self.title, self.unchanged = what.title, what.unchanged

    def done(self, state: C) -> bool:
        return state.stays or super().done(state)
