"""The backups of a new key as options of its rotation (KEY-3)."""

from collections.abc import Sequence

from pai_signer.errors import UsageError
from pai_signer.workflows.custody.custodian import SOMEBODY_ELSE
from pai_signer.workflows.engine import Answer
from pai_signer.workflows.keys.rotation_backups import MAKE, SKIP
from pai_signer.workflows.pick_directory import FOLDER


def backup_answers(backups: Sequence[str], why_not: str | None) -> dict[str, Answer]:
    """Answers for each custodian's round; ``why_not`` ends them, after those that were given."""
    answers: dict[str, Answer] = {}
    for number, text in enumerate(backups, 1):
        name, separator, directory = text.partition("=")
        if not separator or not name or not directory:
            raise UsageError(
                "FACE-1/option",
                f"--backup wants NAME=DEST; got {text!r}.",
                "For example: --backup 'Anna Example=/media/anna'",
                unchanged="Nothing was changed.",
            )
        answers |= {
            f"backup-new-key-{number}": MAKE,
            f"whose-{number}": SOMEBODY_ELSE,
            f"whose-name-{number}": name,
            f"medium-{number}": FOLDER,
            f"directory-{number}": directory,
        }
    if why_not is not None:
        answers |= {f"backup-new-key-{len(backups) + 1}": SKIP, "no-backup": why_not}
    return answers
