"""A field for passphrases that no message, log, clipboard or traceback ever sees (SEC-2).

Textual's ``Input`` keeps a ``str``, posts it in every ``Changed`` message and
copies it to the clipboard. This one collects keys as UTF-8 in one buffer that
is overwritten, shows nothing that depends on the length, and hands the bytes
over once, as a ``Secret``.
"""

import secrets
from collections.abc import Callable
from typing import Final

from textual.content import Content
from textual.events import Key, Paste
from textual.message import Message
from textual.widget import Widget

from pai_signer.domain.secret import Secret
from pai_signer.errors import SignerError

Check = Callable[[Secret], None]

MAX_BYTES: Final = 1024
_DOTS: Final = 8


class SecretField(Widget, can_focus=True):
    """Posts ``Entered`` when ``take`` has something to give; messages carry no value."""

    class Entered(Message):
        """The secret is complete."""

    class Remark(Message):
        """Something to tell the operator; a fixed sentence."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Turned(Message):
        """The second typing begins, or the first one again: see ``is_second_time``."""

    def __init__(self, *, twice: bool, check: Check | None = None) -> None:
        """``check`` raises for a secret that does not do, before it is typed again."""
        super().__init__()
        self._twice = twice
        self._check = check
        # Never grown: growing would leave copies behind that nobody wipes.
        self._buffer = bytearray(MAX_BYTES)
        self._length = 0
        # Set while the rest of a paste that did not fit still comes.
        self._refuses_paste = False
        self._first: Secret | None = None
        self._complete: Secret | None = None
        self._cursor = 0

    @property
    def is_second_time(self) -> bool:
        """Whether the same is to be typed once more."""
        return self._first is not None

    def take(self) -> Secret:
        """Hand the secret over; the field keeps nothing."""
        ready, self._complete = self._complete, None
        if ready is None:
            raise RuntimeError("no secret was entered")
        self.wipe()
        return ready

    def wipe(self) -> None:
        """Overwrite all that was typed: on lock, on going back, on leaving."""
        self._clear()
        for secret in (self._first, self._complete):
            if secret is not None:
                secret.wipe()
        self._first = self._complete = None
        self.refresh()

    def on_unmount(self) -> None:
        """Nothing outlives the field."""
        self.wipe()

    def on_key(self, event: Key) -> None:
        """Collect printable keys; none of them goes any further."""
        self._refuses_paste = False
        match event.key:
            case "enter":
                self._submit()
            case "backspace" | "ctrl+h":
                self._drop_character()
            case "ctrl+u":
                self._clear()
            case _ if event.character and event.is_printable:
                self._add(event.character)
            case _:
                return
        event.stop()
        event.prevent_default()
        self._stir()

    def on_paste(self, event: Paste) -> None:
        """Accept the first line of a paste, unseen; it may come in parts up to an empty one."""
        event.stop()
        event.prevent_default()
        text, event.text = event.text, ""
        if not text:
            self._refuses_paste = False
        for char in text:
            if char in "\r\n" or self._refuses_paste:
                break
            if char.isprintable() and not self._add(char):
                self._clear()  # part of a passphrase is worse than none
                self._refuses_paste = True
        self._stir()

    def render(self) -> Content:
        """Dots that are the same for every secret; one jumps at random with each key."""
        prompt = "again: " if self.is_second_time else ""
        if not self._length:
            return Content.assemble(prompt, (" ", "reverse" if self.has_focus else ""))
        dots = ["●"] * _DOTS
        dots[self._cursor] = "■"
        return Content(prompt + "".join(dots))

    def _submit(self) -> None:
        if not self._length:
            self.post_message(self.Remark("A passphrase may not be empty."))
            return
        typed = Secret(self._buffer[: self._length])
        self._clear()
        if self._first is None and not self._is_accepted(typed):
            typed.wipe()
        elif not self._twice:
            self._deliver(typed)
        elif self._first is None:
            self._first = typed
            self.post_message(self.Turned())
            self.post_message(self.Remark("Type the same passphrase once more."))
        else:
            first, self._first = self._first, None
            same = first.same_as(typed)
            first.wipe()
            if same:
                self._deliver(typed)
            else:
                typed.wipe()
                self.post_message(self.Turned())
                self.post_message(
                    self.Remark("The two were not the same. Type the passphrase again, twice.")
                )

    def _is_accepted(self, secret: Secret) -> bool:
        if self._check is None:
            return True
        try:
            self._check(secret)
        except SignerError as error:
            self.post_message(self.Remark(error.summary))
            return False
        return True

    def _deliver(self, secret: Secret) -> None:
        self._complete = secret
        self.post_message(self.Entered())

    def _add(self, char: str) -> bool:
        data = char.encode("utf-8", "surrogateescape")
        if self._length + len(data) > MAX_BYTES:
            self.post_message(self.Remark(f"A passphrase has at most {MAX_BYTES} bytes."))
            return False
        self._buffer[self._length : self._length + len(data)] = data
        self._length += len(data)
        return True

    def _drop_character(self) -> None:
        while self._length:
            self._length -= 1
            byte, self._buffer[self._length] = self._buffer[self._length], 0
            if byte & 0xC0 != 0x80:  # the first byte of a UTF-8 character
                return

    def _clear(self) -> None:
        self._buffer[:] = bytes(MAX_BYTES)
        self._length = 0

    def _stir(self) -> None:
        # A jump to any other place: the way there does not count the keys.
        self._cursor = (self._cursor + 1 + secrets.randbelow(_DOTS - 1)) % _DOTS
        self.refresh()
