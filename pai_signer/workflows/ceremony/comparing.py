"""A key is read aloud by one person and typed by another (KEY-1)."""

from collections.abc import Callable, Sequence

import msgspec

from pai_signer.domain.ceremony import (
    Role,
    compare_typed,
    noted_exception,
)
from pai_signer.domain.page import Line, Page, digest_lines
from pai_signer.domain.progress import Progress
from pai_signer.domain.words import to_words
from pai_signer.workflows.ceremony.frame import (
    C,
)
from pai_signer.workflows.ceremony.step import NOT_COMPARED, CeremonyStep
from pai_signer.workflows.engine import (
    Actor,
    Answer,
    Question,
    TypedText,
)
from pai_signer.workflows.workbench import Workbench


class CompareKey(CeremonyStep[C]):
    """A new key is read aloud and typed back in full: not by Enter (KEY-1)."""

    id = "compare"
    title = "Compare the new key"
    actor = Actor.SECOND_MAINTAINER
    unchanged = "The registry was not changed: the new key is not in use."
    in_script = (
        "The maintainer reads the groups or the words aloud; the second maintainer types what "
        "was heard, without seeing the screen.",
    )
    blanks = ("First group", "Last group")

    def __init__(self, bench: Workbench, what: str, digest_hex: Callable[[C], str]) -> None:
        super().__init__(bench)
        self._what = what
        self._digest_hex = digest_hex

    def pages(self, state: C) -> Sequence[Page]:
        digest = self._digest_hex(state)
        words = to_words(bytes.fromhex(digest))
        rows = (" ".join(words[i : i + 4]) for i in range(0, len(words), 4))
        lines = (*digest_lines("groups", digest), Line(), *(Line(row) for row in rows))
        return (Page(f"Read aloud: {self._what}", lines),)

    def question(self, state: C) -> Question:
        return TypedText(
            self.id,
            f"{self._what}, as heard: all groups or all words (empty: not compared)",
            default="",
            may_be_empty=True,
        )

    def act(self, state: C, answer: Answer, progress: Progress) -> C:
        typed, now = str(answer).strip(), self._bench.clock.now()
        you = state.name_of(Role.MAINTAINER)
        if not typed:
            skipped = noted_exception(
                self.id,
                now,
                expected=f"{self._what} is compared",
                happened=NOT_COMPARED,
                decided="go on without",
            )
            return self._behind(
                msgspec.structs.replace(state, exceptions=(*state.exceptions, skipped))
            )
        compared = compare_typed(
            self._what,
            self._digest_hex(state),
            typed,
            step=self.id,
            at=now,
            read_by=you,
            typed_by=state.name_of(Role.SECOND_MAINTAINER) or state.name_of(Role.WITNESS) or you,
        )
        return self._behind(
            msgspec.structs.replace(state, comparisons=(*state.comparisons, compared))
        )
