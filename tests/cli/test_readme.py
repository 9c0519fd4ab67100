"""Every command of the README is run, in its order and at stock strength (the rule for docs)."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.cli.documents import documented, placed
from tests.cli.online import online_side
from tests.cli.program import ROOT, STOCK, Program
from tests.workstation import IMAGES, fill_downloads

#: What these commands ask a person for, and this test gives by descriptor.
ASK_FOR_PASSPHRASES: Final = (["key", "generate"], ["release", "sign"])
CUSTODY: Final = ["--waive", "POL-7=custody comes with its own issue"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unshare -n needs root")


def test_the_readme_walks_through_a_whole_release(tmp_path: Path) -> None:
    stick, download = tmp_path / "stick", tmp_path / "Downloads"
    (tmp_path / "keys" / "public").mkdir(parents=True)
    stick.mkdir()
    (tmp_path / "apart").mkdir()
    fill_downloads(stick)
    phrases = {"minisign": b"one two three four five six", "gpg": b"six five four three two one"}
    program = Program(tmp_path / "vault", command=STOCK, phrases=phrases)
    places = {
        "/media/stick": str(stick),
        "/media/apart": str(tmp_path / "apart"),
        "~/Downloads": str(download),
        "keys/public": str(tmp_path / "keys" / "public"),
    }
    played = documented(ROOT / "README.md")
    assert ["release", "export", "v0.2.0", "/media/stick"] in played
    for arguments in played:
        if arguments[0] == "verify":
            shutil.copytree(stick / "pai-v0.2.0", download / "pai-v0.2.0")
            for name in IMAGES:
                shutil.copy(stick / name, download / "pai-v0.2.0")
        if arguments[:2] == ["release", "confirm"]:
            bundle = next(stick.glob("*.bundle"))
            online = online_side(tmp_path / "online", stick / "pai-v0.2.0", bundle)
            online.upload("--artifacts", stick, "--yes")
        given = [placed(argument, places) for argument in arguments]
        if arguments[:2] == ["release", "sign"]:
            given += CUSTODY
        program(*given, passphrases=arguments[:2] in ASK_FOR_PASSPHRASES)
