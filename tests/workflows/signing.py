"""What tests of signing share: the folders of two visits, a port that breaks, nothing signed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE, downloads_copy, events

TAG_FILES = {
    f"{RELEASE}.bundle",
    "receipt-tag.json",
    "receipt-tag.json.asc",
    "receipt-tag.json.minisig",
    "receipt-tag.txt",
}


def nothing_is_signed(bench: Workbench, version: str = RELEASE) -> bool:
    """Neither staged nor journalled, and no tag in the mirror."""
    return (
        not bench.releases.staged(version)
        and "release.signed" not in events(bench)
        and bench.tags.describe_commit(_commit(bench), version, None).existing_tag_oid is None
    )


def _commit(bench: Workbench, version: str = RELEASE) -> str:
    commit = bench.candidate(version).commit
    assert commit is not None
    return commit.oid


@contextmanager
def breaking(
    bench: Workbench, port: str, method: str, error: BaseException, *, after: bool = False
) -> Iterator[None]:
    """Let one method of one port raise, before or after it did its work."""
    owner = getattr(bench, port)
    real = getattr(owner, method)

    def broken(*arguments: object) -> None:
        if after:
            real(*arguments)
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, broken)
        yield


def split(tmp_path: Path) -> tuple[Path, Path]:
    """The practice release as a bundle alone, and as artifacts alone."""
    artifacts = downloads_copy(tmp_path / "artifacts")
    tag = tmp_path / "tag"
    tag.mkdir()
    shutil.move(artifacts / "practice.bundle", tag)
    return tag, artifacts
