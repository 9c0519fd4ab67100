"""Ports that die as the process would, or fail, in the middle of the work."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from pai_signer.errors import CannotTell
from pai_signer.workflows.workbench import Workbench


class Killed(BaseException):
    """What no handler of the program's own catches."""


@dataclass
class KillingPort:
    """Does the work of a port's method, then dies as the process would: from the n-th call on."""

    port: Any
    method: str
    calls: int = 1

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.port, name)
        if name != self.method:
            return found

        def called(*arguments: Any, **options: Any) -> Any:
            result = found(*arguments, **options)
            self.calls -= 1
            if self.calls <= 0:
                raise Killed
            return result

        return called


@dataclass
class FailingPort:
    """Fails in place of the work of a port's method."""

    port: Any
    method: str

    def __getattr__(self, name: str) -> Any:
        if name != self.method:
            return getattr(self.port, name)

        def failed(*_: Any, **__: Any) -> Any:
            raise CannotTell("TEST/disk", "The disk is full.", "Make room.")

        return failed


def with_port(bench: Workbench, port: str, thing: object) -> Workbench:
    """The workbench with another thing in the place of one port."""
    changes: dict[str, Any] = {port: thing}
    return dataclasses.replace(bench, **changes)
