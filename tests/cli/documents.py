"""The commands that documents give their readers, so that tests can run every one."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path


def documented(document: Path) -> list[list[str]]:
    """The arguments of each ``pai-signer`` line in a document's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("pai-signer ")]


def placed(argument: str, places: Mapping[str, str]) -> str:
    """``argument`` with the folder that it begins with put where the test has it."""
    for place, real in places.items():
        if argument.startswith(place):
            return real + argument.removeprefix(place)
    return argument
