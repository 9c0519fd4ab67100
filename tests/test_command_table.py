"""The table of commands stands for modules that it does not load: it must say what they are."""

import pytest

from pai_signer.faces.cli.main import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_line_is_the_name_and_the_first_sentence_of_its_command(name: str) -> None:
    command = COMMANDS[name].load()
    assert command.name == name
    assert COMMANDS[name].summary == command.get_short_help_str(limit=200)
