"""Carrying something out: a medium, a folder, or nothing at all (EXP-1)."""

from pathlib import Path

import pytest

from pai_signer.domain.progress import Progress
from pai_signer.errors import UsageError
from pai_signer.workflows.carry_out import CarryOut, CarryOutState, carry_out_steps
from pai_signer.workflows.engine import Conversation, Outcome, Session, Step, Workflow
from pai_signer.workflows.inner_step import InnerStep
from pai_signer.workflows.script import MemoryStates, play
from tests.workflows.backups import FakeMedia
from tests.workflows.bench import Silent

WHAT = CarryOut("Carry it out", "Where to?", "nowhere now", "It is where it was.")


@pytest.fixture
def media(tmp_path: Path) -> FakeMedia:
    media = FakeMedia()
    media.plug_in(tmp_path / "stick")
    return media


def carried(media: FakeMedia, **answers: str) -> CarryOutState:
    """Where it ends with these answers."""
    steps: tuple[Step[CarryOutState], ...] = carry_out_steps(media, WHAT)
    workflow = Workflow("carry", "", "Carry", CarryOutState(), steps, lambda s: Outcome((), {}))
    conversation = Conversation(workflow, MemoryStates(), Session())
    play(conversation, answers, Silent())
    return conversation.state


def test_nobody_who_answers_carries_nothing_out(media: FakeMedia) -> None:
    assert carried(media) == CarryOutState(stays=True)
    assert carried(media, medium="stays") == CarryOutState(stays=True)
    assert media.calls == []


def test_a_medium_is_mounted_and_a_folder_is_typed(media: FakeMedia, tmp_path: Path) -> None:
    assert carried(media, medium="/dev/stick").directory == str(tmp_path / "stick")
    assert media.calls == ["mount stick rw"]
    typed = carried(media, medium="folder", directory=str(tmp_path))
    assert (typed.directory, typed.stays) == (str(tmp_path), False)


def test_what_is_unchanged_is_said_inside_another_conversation_too(media: FakeMedia) -> None:
    pick: Step[CarryOutState] = next(iter(carry_out_steps(media, WHAT)))
    inner = InnerStep(pick, lambda s: s, lambda _, s: s, lambda _: True, "-1")
    workflow = Workflow("carry", "", "Carry", CarryOutState(), (inner,), lambda s: Outcome((), {}))
    conversation = Conversation(workflow, MemoryStates(), Session())
    with pytest.raises(UsageError) as refused:
        conversation.answer("/dev/other", Progress())
    assert refused.value.unchanged == WHAT.unchanged
    assert conversation.state == CarryOutState()
