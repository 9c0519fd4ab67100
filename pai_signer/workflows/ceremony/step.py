"""What the steps that all ceremonies share have in common (KEY-1)."""

from typing import Final, Generic

import msgspec

from pai_signer.workflows.ceremony.frame import (
    C,
)
from pai_signer.workflows.engine import (
    Step,
)
from pai_signer.workflows.workbench import Workbench

#: What stands in the transcript where nobody compared.
NOT_COMPARED: Final = "not compared"


class CeremonyStep(Step[C], Generic[C]):
    """A shared step: done once its ID is among those behind."""

    unchanged = "No key was made and the registry was not changed."

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def done(self, state: C) -> bool:
        return self.id in state.behind

    def _behind(self, state: C) -> C:
        return msgspec.structs.replace(state, behind=(*state.behind, self.id))
