"""Whoever needs no vault and keeps no secret: readers and verifiers, on any machine (VER-1)."""

import sys
from dataclasses import dataclass, field

from pai_signer.faces.cli.prompts import Prompts


@dataclass
class Anyone:
    """Nothing but where to print is known of them."""

    json: bool
    prompts: Prompts = field(init=False)

    def __post_init__(self) -> None:
        self.prompts = Prompts(sys.stderr if self.json else sys.stdout)
