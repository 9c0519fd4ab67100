"""``--json``: one line that every terminal shows and none obeys (SEC-3)."""

import json

import pytest

from pai_signer.faces.cli.printing import print_json


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "\u009b2J", "\x7f", "\u202egpj.exe", "\u2028", "\U0001f511", "Zoë", "\\u009b", '"'],
)
def test_what_came_from_outside_is_ascii_and_reads_back_as_it_was(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_json({"label": text, "media": [{text: text}]})
    line = capsys.readouterr().out
    assert line.endswith("}\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    assert json.loads(line) == {"label": text, "media": [{text: text}]}
