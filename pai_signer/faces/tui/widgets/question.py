"""One question of a workflow, as a prompt and the widget that takes the answer."""

from collections.abc import Iterator
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from pai_signer.domain.secret import Secret
from pai_signer.errors import UsageError
from pai_signer.faces import wording
from pai_signer.faces.rows import Layout
from pai_signer.faces.tui.safe_render import content
from pai_signer.faces.tui.secret_field import SecretField
from pai_signer.faces.tui.widgets.menu import Menu, MenuLine
from pai_signer.faces.tui.widgets.offered_words import OfferedWords
from pai_signer.faces.tui.widgets.text_field import TextField
from pai_signer.ports import Passphrases
from pai_signer.workflows.engine import (
    NO,
    YES,
    Answer,
    Choice,
    Confirm,
    Question,
    SecretText,
    TypedText,
    check_answer,
)

_CONFIRM: Final = ((YES, MenuLine("Yes", key="y")), (NO, MenuLine("No", key="n")))
#: As app.tcss sets them: the empty row above, the longest menu, a field with its border.
_MARGIN_ROWS: Final = 1
_MAX_MENU_ROWS: Final = 11
_FIELD_ROWS: Final = 3


class Prompt(Widget):
    """A sentence in as many rows as it takes."""

    def __init__(self, text: str, *, lat15: bool) -> None:
        super().__init__()
        self._text = text
        self._lat15 = lat15

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Wrapped height."""
        return len(Layout(max(width, 1), self._lat15).text(self._text))

    def render(self) -> Content:
        """The sentence."""
        return content(Layout(max(self.content_size.width, 1), self._lat15).text(self._text))


class QuestionPane(Vertical):
    """Asks; posts ``Answered`` without the answer, which ``take`` then hands over."""

    class Answered(Message):
        """There is an answer that fits the question."""

    class Remark(Message):
        """Why an answer does not do."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def __init__(self, question: Question, prefix: str, *, lat15: bool) -> None:
        super().__init__()
        self.question = question
        self._prefix = prefix
        self._lat15 = lat15
        self._answer: Answer | None = None
        #: Hidden while it is typed from the paper.
        self._offered: tuple[Widget, ...] = ()
        self._widgets = tuple(self._built())

    def compose(self) -> ComposeResult:
        """The prompt and the widget for this kind of question."""
        yield from self._widgets

    def rows_for(self, width: int) -> int:
        """How many rows it takes at this width; it need not be mounted yet."""
        rows = 0
        for widget in self._widgets:
            match widget:
                case Prompt():
                    rows += _MARGIN_ROWS + widget.get_content_height(Size(), Size(), width)
                case Menu():
                    height = widget.get_content_height(Size(), Size(), width)
                    rows += _MARGIN_ROWS + min(height, _MAX_MENU_ROWS)
                case OfferedWords():
                    rows += _MARGIN_ROWS + 1
                case _:
                    rows += _FIELD_ROWS
        return rows

    def _built(self) -> Iterator[Widget]:
        prompt = " ".join(part for part in (self._prefix, self.question.prompt) if part)
        if prompt:
            yield Prompt(prompt, lat15=self._lat15)
        match self.question:
            case Choice(options=options):
                lines = [MenuLine(o.label, o.unavailable_because) for o in options]
                yield Menu(lines, lat15=self._lat15)
            case Confirm():
                yield Menu([line for _, line in _CONFIRM], lat15=self._lat15, selected=1)
            case TypedText():
                yield TextField(lat15=self._lat15)
            case SecretText(twice=twice, new=new):
                if new is not None:
                    self._offered = tuple(self._offering(new))
                yield from self._offered
                yield SecretField(twice=twice, check=new.check if new is not None else None)
            case _:
                pass

    def _offering(self, new: Passphrases) -> Iterator[Widget]:
        yield Prompt(wording.WRITE_THESE, lat15=self._lat15)
        yield OfferedWords(new.offer)
        yield Prompt(wording.OR_YOUR_OWN, lat15=self._lat15)

    def on_mount(self) -> None:
        """Let the widget have the keys."""
        for widget in self.query("Menu, TextField, SecretField"):
            widget.focus()

    @property
    def is_answered(self) -> bool:
        """Whether ``take`` has something to give."""
        return self._answer is not None

    def take(self) -> Answer:
        """The answer; a secret is handed over, not kept."""
        answer, self._answer = self._answer, None
        if answer is None:
            raise RuntimeError("the question was not answered")
        return answer

    def wipe(self) -> None:
        """Overwrite every secret that was typed and not yet taken."""
        for words in self.query(OfferedWords):
            words.wipe()
        for field in self.query(SecretField):
            field.wipe()
        if isinstance(self._answer, Secret):
            self._answer.wipe()
        self._answer = None

    def on_unmount(self) -> None:
        """Nothing outlives the question."""
        self.wipe()

    def on_menu_picked(self, event: Menu.Picked) -> None:
        """A numbered answer."""
        event.stop()
        if isinstance(self.question, Choice):
            self._offer(self.question.options[event.index].value)
        else:
            self._offer(_CONFIRM[event.index][0])

    def on_menu_half_typed(self, event: Menu.HalfTyped) -> None:
        """What the menu waits for."""
        event.stop()
        self.post_message(self.Remark(wording.half_typed(event.number)))

    def on_text_field_submitted(self, event: TextField.Submitted) -> None:
        """A typed answer."""
        event.stop()
        self._offer(event.value)

    def on_secret_field_entered(self, event: SecretField.Entered) -> None:
        """A secret: straight from the field, through no message."""
        event.stop()
        self._offer(self.query_one(SecretField).take())

    def on_secret_field_turned(self, event: SecretField.Turned) -> None:
        """What was offered is hidden while it is typed from the paper."""
        event.stop()
        for widget in self._offered:
            widget.display = not self.query_one(SecretField).is_second_time

    def on_secret_field_remark(self, event: SecretField.Remark) -> None:
        """What the field has to say."""
        event.stop()
        self.post_message(self.Remark(event.text))

    def _offer(self, answer: Answer) -> None:
        try:
            check_answer(self.question, answer)
        except UsageError as error:
            self.post_message(self.Remark(error.hint))
            return
        self._answer = answer
        self.post_message(self.Answered())
