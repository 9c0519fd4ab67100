"""The traps of Textual: what it shows, posts and reads by itself (SEC-2)."""

from typing import Final

from tests.traps.table import Guard, Trap

TEXTUAL: Final = (
    Trap(
        "Textual prints local variables in its crash traceback",
        (
            "tui/test_terminal.py::test_a_crash_prints_no_value_and_no_local_variable",
            "tui/test_signals_in_terminal.py::"
            "test_a_bug_beside_a_passphrase_prints_neither_value_nor_local_variable",
        ),
        (
            Guard(
                "faces/tui/app.py",
                "    def _fatal_error(self) -> None:\n"
                "        # Textual would render a traceback with local variables here.\n"
                "        if not self._exit or self.crash is not None:\n"
                "            self._return_code = EXIT_BUG\n"
                "        self._close_messages_no_wait()\n"
                "\n"
                "    def _print_error_renderables(self) -> None:\n"
                "        self._exit_renderables.clear()\n",
                "",
            ),
        ),
    ),
    Trap(
        "an Input posts its value and copies it on Ctrl+C",
        (
            "tui/test_secret_field.py::test_messages_of_the_field_have_no_place_for_a_value",
            "tui/test_secret_field.py::test_ctrl_c_copies_nothing",
            "tui/test_secret_field.py::test_a_passphrase_is_in_no_message_worker_or_screen",
            "tui/test_secret_field.py::test_unmounting_wipes_every_buffer",
            "tui/test_secret_field.py::"
            "test_what_is_typed_is_handed_over_and_the_field_keeps_nothing",
        ),
        (
            Guard(
                "faces/tui/secret_field.py",
                '        text, event.text = event.text, ""\n',
                "        text = event.text\n",
            ),
            Guard("faces/tui/secret_field.py", "        self._buffer[:] = bytes(MAX_BYTES)\n", ""),
        ),
    ),
    Trap(
        "TEXTUAL_LOG and its like leak or inject",
        (
            "tui/test_environment.py::test_every_variable_of_textual_is_dropped",
            "tui/test_environment.py::"
            "test_importing_any_part_of_the_app_drops_them_before_textual_is_imported",
        ),
        (Guard("faces/tui/environment.py", "            del environ[name]", "            pass"),),
    ),
)
