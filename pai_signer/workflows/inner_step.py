"""A step of one conversation inside another one, whose state holds the smaller state."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from pai_signer.domain.page import Page
from pai_signer.domain.progress import Progress
from pai_signer.workflows.engine import Answer, Question, SecretText, Step

Outer = TypeVar("Outer", bound=msgspec.Struct)
Inner = TypeVar("Inner", bound=msgspec.Struct)


class InnerStep(Step[Outer], Generic[Outer, Inner]):
    """``inner``, taken on a part of the outer state.

    ``suffix`` tells several rounds of the same steps apart: it ends the step's ID and the
    names of its questions.
    """

    def __init__(
        self,
        inner: Step[Inner],
        get: Callable[[Outer], Inner],
        put: Callable[[Outer, Inner], Outer],
        is_wanted: Callable[[Outer], bool],
        suffix: str,
    ) -> None:
        self._inner = inner
        self._get = get
        self._put = put
        self._is_wanted = is_wanted
        self._suffix = suffix
        self.id = f"{inner.id}{suffix}"
        self.title = inner.title
        self.unchanged = inner.unchanged
        self.in_script = inner.in_script
        self.blanks = inner.blanks

    def done(self, state: Outer) -> bool:
        return not self._is_wanted(state) or self._inner.done(self._get(state))

    def pages(self, state: Outer) -> Sequence[Page]:
        return self._inner.pages(self._get(state))

    def question(self, state: Outer) -> Question:
        question = self._inner.question(self._get(state))
        if isinstance(question, SecretText):
            return question  # its name says already whose passphrase it is
        return dataclasses.replace(question, name=f"{question.name}{self._suffix}")

    def act(self, state: Outer, answer: Answer, progress: Progress) -> Outer:
        return self._put(state, self._inner.act(self._get(state), answer, progress))
