"""``release qr`` and ``release collect`` as processes: out of a vault, in without one (EXP-4)."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.program import STOCK, Program
from tests.workflows.bench import RELEASE

NAME = "SHA256SUMS.minisig"


def test_out_of_a_vault_and_in_where_there_is_none(
    signed: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = signed("release", "qr", RELEASE, "--file", NAME, as_json=True)
    lines, digest = shown.json["payloads"], shown.json["files"][NAME]
    options = ("--file", NAME, "--part", "2", "--invert")
    printed = signed("release", "qr", RELEASE, *options).stdout
    assert f"part 2 of {len(lines)}; code 1 of 1" in printed
    assert "\x1b" not in printed  # no terminal: no colours
    assert "▀" in printed
    assert "█" * 45 not in printed  # the quiet zone is not drawn where letters are dark

    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    online = Program(tmp_path / "no-vault", command=STOCK, prefix=())
    scans, to = tmp_path / "scans.txt", tmp_path / "to"
    scans.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines[1:]).encode())
    missing = online("release", "collect", scans, to, code=5)
    assert f"Of {NAME} missing: part 1 of {len(lines)}." in " ".join(missing.stderr.split())
    assert not to.exists()
    with scans.open("a") as file:
        file.write(f"\nhttps://example.org/\n{lines[0]}\n")
    foreign = online("release", "collect", scans, to, code=4, as_json=True)
    assert foreign.json["error"]["code"] == "EXP-4/foreign"
    scans.write_text("\n".join(reversed(lines)))
    joined = online("release", "collect", scans, to, as_json=True).json
    assert joined["files"] == {NAME: digest}
    assert hashlib.sha256((to / NAME).read_bytes()).hexdigest() == digest
    (to / NAME).write_text("another")
    online("release", "collect", scans, to, code=3)
    assert (to / NAME).read_text() == "another"
    assert not online.vault.exists()


def test_parts_are_of_one_file(signed: Program) -> None:
    refused = signed("release", "qr", RELEASE, "--part", "1", code=2)
    assert "EXP-4/part-of-what" in refused.stderr
