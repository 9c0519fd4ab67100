"""A signed release leaves as QR codes and becomes the same files on the other side (EXP-4)."""

import hashlib
from pathlib import Path

import pytest

from pai_signer.adapters import qr
from pai_signer.adapters.destination import MediumDestinations
from pai_signer.adapters.source import FolderSources
from pai_signer.composition import verifiers
from pai_signer.domain.qr_parts import parse_payload
from pai_signer.errors import (
    BadSignature,
    CannotTell,
    PolicyRefused,
    SignerError,
    ToolError,
    UsageError,
)
from pai_signer.workflows import catalogue
from pai_signer.workflows.engine import Conversation, Session
from pai_signer.workflows.release.collect_codes import collect_codes
from pai_signer.workflows.script import MemoryStates, play
from pai_signer.workflows.verify.verify_release import verify_folder
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, Silent, events, run

MANIFEST = "SHA256SUMS"


def staging(tmp_path: Path) -> Path:
    return tmp_path / "vault" / "releases" / RELEASE / "staging"


def payloads(bench: Workbench, file: str = "all", parts: str = "") -> list[str]:
    answers = {"file": file, "parts": parts}
    return list(run(bench, "release.qr", answers, version=RELEASE).data["payloads"])


def collect(scans: Path, to: Path) -> dict[str, str]:
    """As the command does it: with no vault."""
    workflow = collect_codes(FolderSources(), MediumDestinations(), str(scans), str(to))
    conversation = Conversation(workflow, MemoryStates(), Session())
    return dict(play(conversation, {}, Silent()).data["files"])


def test_the_files_arrive_and_verify_with_the_published_keys(
    signed: Workbench, folder: Path, tmp_path: Path
) -> None:
    before = len(events(signed))
    speaker = Silent()
    outcome = run(signed, "release.qr", {"file": "all"}, speaker, version=RELEASE)
    lines = outcome.data["payloads"]
    codes = [page.code for page in speaker.shown if page.code is not None]
    assert len(codes) == len(lines)
    assert all(len(code.modules) == 37 for code in codes)
    assert [e.event for e in signed.journal.entries()][before:] == ["release.shown"]

    scans = tmp_path / "scans.txt"
    scans.write_text("\n".join(reversed(lines)))
    arrived = collect(scans, tmp_path / "arrived")
    assert arrived == outcome.data["files"] == signed.journal.entries()[-1].facts["files"]
    wanted = {p.name for p in staging(tmp_path).iterdir() if not p.name.startswith("receipt")}
    assert set(arrived) == wanted >= {MANIFEST, f"{MANIFEST}.minisig", f"{MANIFEST}.asc"}
    assert f"{RELEASE}.bundle" in arrived
    for name, digest in arrived.items():
        data = (tmp_path / "arrived" / name).read_bytes()
        assert data == (staging(tmp_path) / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
    workflow = verify_folder(
        FolderSources(), verifiers(), str(tmp_path / "arrived"), str(folder / "keys")
    )
    verified = play(Conversation(workflow, MemoryStates(), Session()), {}, Silent())
    assert verified.data["tag"]


def test_what_is_missing_is_shown_again_and_completes_it(signed: Workbench, tmp_path: Path) -> None:
    name = f"{RELEASE}.bundle"
    lines = payloads(signed, name)
    assert len(lines) > 4
    scans, to = tmp_path / "scans.txt", tmp_path / "to"
    scans.write_text("\n".join(lines[:1] + lines[4:]))
    with pytest.raises(CannotTell) as refused:
        collect(scans, to)
    assert f"part 2-4 of {len(lines)}" in refused.value.summary
    assert not to.exists()
    again = payloads(signed, name, "2-4")
    assert again == lines[1:4]
    assert signed.journal.entries()[-1].facts["command"].endswith(f"--file {name} --part '2-4'")
    with scans.open("a") as file:
        file.write("\n" + "\n".join(again) + "\n")
    assert list(collect(scans, to)) == [name]


def test_nothing_is_ever_overwritten(signed: Workbench, tmp_path: Path) -> None:
    scans, to = tmp_path / "scans.txt", tmp_path / "to"
    scans.write_text("\n".join(payloads(signed, MANIFEST)))
    to.mkdir()
    (to / MANIFEST).write_text("another one")
    with pytest.raises(PolicyRefused) as refused:
        collect(scans, to)
    assert refused.value.code == "EXP-2/other-content"
    assert (to / MANIFEST).read_text() == "another one"
    (to / MANIFEST).write_bytes((staging(tmp_path) / MANIFEST).read_bytes())
    assert collect(scans, to)


def test_one_wrong_line_and_no_file_is_written(signed: Workbench, tmp_path: Path) -> None:
    lines = payloads(signed)
    scans, to = tmp_path / "scans.txt", tmp_path / "to"
    scans.write_text("\n".join([*lines, lines[0][:-1]]))
    with pytest.raises(SignerError) as refused:
        collect(scans, to)
    assert refused.value.code == "EXP-4/part"
    assert refused.value.unchanged == "Nothing was written, and no file was changed."
    assert not to.exists()


def test_nothing_unverified_is_shown(signed: Workbench, tmp_path: Path) -> None:
    path = staging(tmp_path) / f"{MANIFEST}.asc"
    path.write_bytes(path.read_bytes() + b"\n")
    before = events(signed)
    with pytest.raises(BadSignature) as refused:
        payloads(signed)
    assert refused.value.code == "SIG-5/staging"
    assert events(signed) == before


def test_a_code_that_misreads_is_not_shown(
    signed: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qr, "read_codes", lambda *_: (b"PSQ1:",))
    with pytest.raises(ToolError) as refused:
        payloads(signed, MANIFEST)
    assert refused.value.code == "EXP-4/reread"


@pytest.mark.parametrize("parts", ["0", "99", "x", "2-1"])
def test_parts_that_there_are_not(signed: Workbench, parts: str) -> None:
    with pytest.raises(UsageError) as refused:
        payloads(signed, MANIFEST, parts)
    assert refused.value.code == "EXP-4/part-number"


def test_only_what_is_signed_is_shown(keyed: Workbench) -> None:
    with pytest.raises(UsageError, match="Nothing of"):
        catalogue.begin(keyed, "release.qr", {"version": RELEASE})


def test_a_receipt_can_be_chosen_by_its_name(signed: Workbench) -> None:
    lines = payloads(signed, "receipt.json.minisig")
    assert {parse_payload(line).name for line in lines} == {"receipt.json.minisig"}
