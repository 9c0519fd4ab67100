"""The question for a new passphrase, the same wherever one is chosen (KEY-1, CUS-1)."""

from typing import Final

from pai_signer.workflows.engine import SecretText
from pai_signer.workflows.workbench import Workbench

#: What a ceremony's printed script says of choosing one, and of one that exists already.
IN_SCRIPT: Final = (
    "Write the six words that are offered, or six or more rolled with dice, on paper; type them "
    "twice, the second time from the paper. Put the paper into its envelope and seal it."
)
OLD_IN_SCRIPT: Final = "Whoever holds it types it. Nobody else looks at the keyboard."


def new_passphrase(bench: Workbench, name: str, prompt: str) -> SecretText:
    """Ask for a new passphrase: words are offered, weak ones refused, and it is typed twice."""
    return SecretText(name, prompt, twice=True, new=bench.passphrases)
