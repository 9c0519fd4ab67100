"""The traps of Python itself: what stays in memory (SEC-2)."""

from typing import Final

from tests.traps.table import Guard, Trap

_MINISIGN: Final = "adapters/minisign_secret.py"
_KEYS: Final = "adapters/test_minisign.py"

PYTHON: Final = (
    Trap(
        "a passphrase that was typed stays in memory when its step fails",
        (
            "workflows/test_rotate_minisign_hardships.py::"
            "test_every_passphrase_is_wiped_whether_it_was_right_or_not",
            "workflows/test_rotate_minisign_hardships.py::"
            "test_a_wrong_passphrase_of_the_openpgp_key_is_wiped_too",
            "workflows/test_engine.py::test_a_secret_is_wiped_when_its_step_fails",
        ),
        (
            Guard(
                "workflows/engine.py",
                "                    answer.wipe()",
                "                    pass",
            ),
            Guard(
                "workflows/keys/rotation_system.py",
                "            with passphrase:\n",
                "            if passphrase:\n",
            ),
        ),
    ),
    Trap(
        "py-minisign wants the passphrase as a str, which nobody can wipe",
        (
            f"{_KEYS}::test_library_is_given_the_live_buffer_and_no_str",
            f"{_KEYS}::test_passphrase_stands_in_memory_once_and_after_wiping_not_at_all",
        ),
        (
            Guard(
                _MINISIGN,
                "        return self._passphrase.reveal()",
                "        return self._passphrase.reveal()[:]",
            ),
        ),
    ),
)
