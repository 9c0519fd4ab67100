"""Which lines of the program ran, as cheaply as this Python can tell.

From 3.12 on ``sys.monitoring`` (PEP 669) reports each line once and is switched off there:
every input is watched, at no cost. In 3.11 ``sys.settrace`` costs a multiple of the parsers'
own time, so only a sample of the inputs is watched; how a refusal was reached stands in its
traceback all the same, and that is looked at each time.
"""

import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Protocol

import pai_signer

_PACKAGE: Final = str(pai_signer.__path__[0])
#: One input in so many is watched where watching is dear.
SAMPLE: Final = 16

Trail = tuple[tuple[CodeType, int], ...]


def trail_of(problem: BaseException) -> Trail:
    """Where ``problem`` was raised: every frame of the program with its line."""
    found = []
    traceback: TracebackType | None = problem.__traceback__
    while traceback is not None:
        found.append((traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    return tuple(found)


class Watch(Protocol):
    """Tells whether a call ran a line of the program that none before it ran."""

    #: Of so many inputs one is to be watched.
    every: int

    def __call__(self, call: Callable[[], None]) -> bool:
        """Call it; True if it reached new lines. What ``call`` raises goes through."""


class _Traced:
    """``sys.settrace``: a function with no line left to find is not traced any more."""

    every = SAMPLE

    def __init__(self) -> None:
        self._unseen: dict[CodeType, set[int]] = {}
        self._found = False

    def __call__(self, call: Callable[[], None]) -> bool:
        self._found = False
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            call()
        finally:
            sys.settrace(before)
        return self._found

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        unseen = self._unseen.get(code)
        if unseen is None:
            ours = code.co_filename.startswith(_PACKAGE)
            unseen = {line for *_, line in code.co_lines() if line} if ours else set()
            self._unseen[code] = unseen
        return self._line if unseen else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        unseen = self._unseen[frame.f_code]
        if event == "line" and frame.f_lineno in unseen:
            unseen.discard(frame.f_lineno)
            self._found = True
        return self._line


class _Monitored:
    """``sys.monitoring``: each line tells once, and is silent ever after."""

    every = 1

    def __init__(self) -> None:
        self._found = False
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._off = monitoring.DISABLE
        tool = next(n for n in range(6) if monitoring.get_tool(n) is None)
        monitoring.use_tool_id(tool, "fuzzing")
        monitoring.register_callback(tool, monitoring.events.LINE, self._line)
        monitoring.set_events(tool, monitoring.events.LINE)
        self._tool, self._free = tool, monitoring.free_tool_id

    def __call__(self, call: Callable[[], None]) -> bool:
        self._found = False
        call()
        return self._found

    def __del__(self) -> None:
        self._free(self._tool)

    def _line(self, code: CodeType, line: int) -> Any:
        if code.co_filename.startswith(_PACKAGE):
            self._found = True
        return self._off


def new_watch() -> Watch:
    """The cheapest watch that this Python has."""
    return _Monitored() if hasattr(sys, "monitoring") else _Traced()
