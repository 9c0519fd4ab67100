"""How well each active key is proved at this moment, shown after whatever changes it (POL-7)."""

from typing import Any

from pai_signer.domain.page import Line, Mark
from pai_signer.workflows.workbench import Workbench


def custody_lines(bench: Workbench) -> tuple[Line, ...]:
    """One line for each active key: what there is, and what is missing for signing."""
    custody = bench.ledger().custody(bench.registry(), bench.profile.custody, bench.clock.now())
    return tuple(
        Line(
            f"{key.algorithm.shown} key: {status.text}",
            label="custody",
            mark=Mark.OK if status.is_enough else Mark.FAIL,
        )
        for key, status in custody
    )


def custody_data(bench: Workbench) -> list[dict[str, Any]]:
    """The same for ``--json``."""
    custody = bench.ledger().custody(bench.registry(), bench.profile.custody, bench.clock.now())
    return [
        {
            "algorithm": key.algorithm.value,
            "key": key.id,
            "enough": status.is_enough,
            "text": status.text,
        }
        for key, status in custody
    ]
