"""Every command of ``docs/ceremonies.md`` is run, in its order, on one vault."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pai_signer.domain.reminders import AvoidedDays, good_expiry_day
from pai_signer.errors import EXIT_DONE
from tests.cli.documents import documented, placed
from tests.cli.program import ROOT, Program

DOCUMENT = ROOT / "pai_signer" / "docs" / "ceremonies.md"
ALGORITHMS = {"minisign": "minisign", "gpg": "openpgp"}


def active(program: Program, system: str) -> dict[str, Any]:
    """The key that signs, else the last one of its system."""
    keys = program("key", "list", as_json=True).json["keys"]
    mine = [key for key in keys if key["algorithm"] == ALGORITHMS[system]]
    return dict(([key for key in mine if key["state"] == "active"] or mine)[-1])


def ending(program: Program, system: str, arguments: list[str]) -> Iterator[str]:
    """What is asked where a key ends; the vault signed no release."""
    key = active(program, system)
    yield from ("--confirm", key["id"] if arguments[1] == "revoke" else key["id"][-16:])
    if "compromised" in arguments:
        born = datetime.fromisoformat(key["created_at"])
        yield from ("--trusted-until", f"{born:%Y-%m-%d %H:%M:%S}")
        yield from ("--why", "the laptop was stolen", "--endorse", "0")


def test_every_command_of_the_document_does_what_it_says(empty: Program, tmp_path: Path) -> None:
    empty("key", "generate", passphrases=True)
    for name in ("stick", "apart", "public", "old"):
        (tmp_path / name).mkdir()
    (tmp_path / "old" / "SHA256SUMS").write_text(f"{'ab' * 32}  pai-0.1.0-amd64.iso\n")
    later = good_expiry_day((datetime.now(UTC) + timedelta(days=600)).date(), AvoidedDays())
    phrases = dict(empty.phrases)
    played = documented(DOCUMENT)
    assert len(played) > 15
    for number, arguments in enumerate(played):
        places = {
            "/media/stick": str(tmp_path / "stick"),
            "/media/apart": str(tmp_path / "apart"),
            "keys/public": str(tmp_path / "public"),
            "old/": f"{tmp_path}/old/",
            "OPENPGP": active(empty, "gpg")["id"],
        }
        given = [placed(argument, places) for argument in arguments]
        now = {**phrases, "new": f"weak new phrase {number}".encode()}
        system = arguments[2] if arguments[2:] and arguments[2] in ALGORITHMS else "gpg"
        if "--script" in arguments:
            now = {}
        elif arguments[:2] in (["key", "rotate"], ["key", "revoke"]):
            now["revoked"] = phrases[system]
            given += ending(empty, system, arguments)
            phrases[system] = now["new"] if arguments[1] == "rotate" else phrases[system]
        elif arguments[:2] == ["key", "extend"]:
            given += ["--until", later.isoformat()]
        elif arguments[:2] == ["release", "unsigned"]:
            given += ["--confirm", "v0.1.0"]
        takes = arguments[:2] not in (
            *(["key", name] for name in ("revocations", "drill", "publish")),
            *(["ceremony", name] for name in ("list", "export")),
            ["journal", "verify"],
        )
        program = dataclasses.replace(empty, phrases=now)
        assert program(*given, passphrases=takes).code == EXIT_DONE
    states = [key["state"] for key in empty("key", "list", as_json=True).json["keys"]]
    assert sorted(states) == ["active"] * 2 + ["compromised"] * 2 + ["retired"] * 2
    published = {path.name for path in (tmp_path / "public").iterdir()}
    assert {"registry.json", "minisign.pub"} <= published
    assert sum(name.startswith("do-not-trust-") for name in published) >= 2
