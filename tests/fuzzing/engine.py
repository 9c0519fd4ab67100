"""Feeds one parser with spoilt inputs, and keeps those that reach something new.

An input is good if the parser answers, and its answer passes the target's own check, or
refuses with one of the families that it names. All else is a finding: another exception,
more than a second of computing, an answer that the check contradicts. An input that runs
new lines, or is refused in a new way, joins the corpus that later inputs are made from.
"""

import random
import re
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any, Final

from pai_signer.errors import SignerError
from tests.fuzzing.coverage import Trail, new_watch, trail_of
from tests.fuzzing.mutations import TOKENS, Mutator, spoilt_bytes

#: Seconds of computing for one input; not of waiting, since machines are busy.
MAX_SECONDS: Final = 1.0
#: A larger corpus only repeats itself.
MAX_CORPUS: Final = 2000
#: A finding is told once for each place; more than these tell nothing new.
MAX_FINDINGS: Final = 10
#: Refusals at one place that differ in their text, such as in the rule that they name.
MAX_TEXTS: Final = 50
#: Each costs ``MAX_SECONDS``.
MAX_HANGS: Final = 3


#: What a text quotes, and numbers: the same refusal with other values is no other one.
_VARIABLE: Final = re.compile(r"'.*'|[0-9]+")


class Hang(BaseException):
    """An input took longer than ``MAX_SECONDS``; no ``except Exception`` catches it."""


@dataclass(frozen=True)
class Target:
    """A parser of bytes from outside, with what it may do.

    ``seeds`` are accepted. ``refusals`` are the families that ``parse`` may raise. ``check``
    gets the answer and the bytes, and raises ``AssertionError`` where they do not agree.
    ``mutators`` know the format; ``tokens`` are words of it.
    """

    name: str
    parse: Callable[[bytes], Any]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[SignerError], ...]
    check: Callable[[Any, bytes], None]
    mutators: tuple[Mutator, ...] = ()
    tokens: tuple[bytes, ...] = ()
    max_bytes: int = 64 << 10


@dataclass
class Tally:
    """How many inputs were tried, and what became of them."""

    accepted: int = 0
    refused: int = 0
    kept: int = 0
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        """All of them."""
        return self.accepted + self.refused

    def add(self, other: "Tally") -> None:
        """Count another batch to this one."""
        self.accepted += other.accepted
        self.refused += other.refused
        self.kept += other.kept
        self.seconds += other.seconds


@dataclass(frozen=True)
class Finding:
    """An input that did what no input may do."""

    data: bytes
    problem: str


@dataclass
class Campaign:
    """One target with its corpus, which grows from batch to batch."""

    target: Target
    corpus: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    max_seconds: float = MAX_SECONDS

    def __post_init__(self) -> None:
        self._watch = new_watch()
        self._refused: dict[Trail, set[str]] = {}
        self._told: set[Trail] = set()
        self._hangs = 0
        self._good = list(self.target.seeds)
        self._tokens = (*TOKENS, *self.target.tokens * 4)
        found, self.corpus = self.corpus, list(self.target.seeds)
        for seed in self.target.seeds:  # what is already known is nothing new
            self._one(seed, Tally(), watched=True)
        self.corpus = list(dict.fromkeys([*self.target.seeds, *found]))
        for data in found:
            self._one(data, Tally(), watched=True)

    def run(self, chance: random.Random, count: int) -> Tally:
        """Try ``count`` inputs; what was found stands in ``findings``."""
        tally, began = Tally(), monotonic()
        for number in range(count):
            if len(self.findings) >= MAX_FINDINGS or self._hangs >= MAX_HANGS:
                break
            data = self._next(chance)
            fresh = self._one(data, tally, watched=number % self._watch.every == 0)
            if fresh and len(self.corpus) < MAX_CORPUS:
                self.corpus.append(data)
                tally.kept += 1
        tally.seconds = monotonic() - began
        self.tally.add(tally)
        return tally

    def _next(self, chance: random.Random) -> bytes:
        # What is good is one fault away from every rule; what was found last was tried least.
        pools = (self._good, self.corpus[-20:], self.corpus)
        data = chance.choice(chance.choice(pools))
        mutators = self.target.mutators
        if mutators and chance.random() < 0.7:
            changed = chance.choice(mutators)(chance, data)
        else:
            changed = spoilt_bytes(chance, data, self._tokens, chance.choice(self.corpus))
        return changed[: self.target.max_bytes]

    def _one(self, data: bytes, tally: Tally, *, watched: bool) -> bool:
        """Try one input; True if it reached something new."""
        try:
            with time_limit(self.max_seconds):
                if watched:
                    fresh = self._watch(partial(self._answer, data))
                else:
                    self._answer(data)
                    fresh = False
        except self.target.refusals as refusal:
            tally.refused += 1
            return self._is_new(refusal)
        except (Exception, Hang) as problem:  # noqa: BLE001 - whatever it is, it is a finding
            tally.refused += 1
            self._hangs += isinstance(problem, Hang)
            trail = trail_of(problem)
            if trail not in self._told:
                self._told.add(trail)
                shown = "".join(traceback.format_exception(problem))
                self.findings.append(Finding(data, f"{self.target.name}: {shown}"))
            return False
        tally.accepted += 1
        if fresh:
            self._good.append(data)
        return fresh

    def _answer(self, data: bytes) -> None:
        self.target.check(self.target.parse(data), data)

    def _is_new(self, refusal: SignerError) -> bool:
        texts = self._refused.setdefault(trail_of(refusal), set())
        text = _VARIABLE.sub("", refusal.summary)
        if text in texts or len(texts) >= MAX_TEXTS:
            return False
        texts.add(text)
        return True


class time_limit:  # noqa: N801 - read as a statement
    """Raises ``Hang`` in the main thread after so many seconds of computing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGPROF, _stop)
        signal.setitimer(signal.ITIMER_PROF, self._seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang("it computed for too long")
