"""The pack for the day of a compromise: shown, written durably, journalled (KEY-5)."""

import hashlib
from pathlib import Path

import pytest

from pai_signer.domain.compromise import render_drill_pack
from pai_signer.errors import MediumError, PolicyRefused
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import events, run

DRILL = "key.drill"


def test_on_the_screen_it_names_the_keys_in_use_and_nothing_is_written(keyed: Workbench) -> None:
    data = run(keyed, DRILL).data
    assert data["file"] is None
    assert data["pack"] == render_drill_pack(keyed.registry())
    for key in keyed.registry().keys:
        assert key.id in data["pack"].replace(" ", "")
    assert events(keyed)[-1] == DRILL


def test_on_a_medium_it_is_one_file_named_by_its_content(keyed: Workbench, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    data = run(keyed, DRILL, directory=str(stick)).data
    (written,) = [path for path in stick.rglob("*") if path.is_file()]
    assert str(written) == data["file"]
    digest = hashlib.sha256(written.read_bytes()).hexdigest()
    assert digest[:8] in written.name
    assert keyed.journal.entries()[-1].facts["sha256"] == digest
    assert run(keyed, DRILL, directory=str(stick)).data["file"] == data["file"]


def test_from_the_app_a_medium_or_the_screen_is_chosen(keyed: Workbench, tmp_path: Path) -> None:
    answers = {"medium": "folder", "directory": str(tmp_path)}
    assert Path(str(run(keyed, DRILL, answers).data["file"])).is_relative_to(tmp_path)
    assert run(keyed, DRILL, {"medium": "stays"}).data["file"] is None


def test_a_medium_that_is_not_there_leaves_no_entry(keyed: Workbench, tmp_path: Path) -> None:
    before = events(keyed)
    with pytest.raises(MediumError):
        run(keyed, DRILL, directory=str(tmp_path / "nowhere"))
    assert events(keyed) == before


def test_without_keys_there_is_nothing_to_prepare_for(empty: Workbench) -> None:
    with pytest.raises(PolicyRefused) as refused:
        run(empty, DRILL)
    assert refused.value.code == "KEY-5/no-keys"
    assert DRILL not in events(empty)
