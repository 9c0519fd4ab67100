"""Each artifact is read once, through the whole job, as the kernel counts it (IMP-3).

Two real images of some 200 MB each: a real bootable image with a large file put
into it by xorriso(1). The page cache is emptied before each command, so that
whatever is read a second time comes from the medium and counts.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import workstation
from tests.media import loop
from tests.media.marks import needs_loop
from tests.workstation import FOLDER, VERSION

pytestmark = [*needs_loop, pytest.mark.slow]

PAYLOAD_BYTES: Final = 195_000_000


@pytest.fixture
def images(tmp_path: Path) -> dict[str, Path]:
    payload = tmp_path / "payload"
    made = {}
    for name, image in workstation.IMAGES.items():
        with payload.open("wb") as file:
            for _ in range(PAYLOAD_BYTES // 1_000_000):
                file.write(os.urandom(1_000_000))
        made[name] = tmp_path / name
        subprocess.run(
            [
                *("xorriso", "-indev", str(image), "-outdev", str(made[name])),
                *("-map", str(payload), "/payload.bin", "-boot_image", "any", "replay"),
                *("-padding", "0"),
            ],
            check=True,
            capture_output=True,
        )
    payload.unlink()
    return made


@pytest.fixture
def stick(images: dict[str, Path]) -> Iterator[loop.LoopMedium]:
    size_bytes = sum(path.stat().st_size for path in images.values()) + 64 * loop.MIB
    with loop.medium("ext4", size_bytes=size_bytes) as made:
        workstation.fill_downloads(made.mount_point, images)
        made.remount()
        yield made


def drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def test_the_whole_job_reads_each_artifact_once(
    stick: loop.LoopMedium, images: dict[str, Path], tmp_path: Path
) -> None:
    here, out = workstation.workstation("keyed", tmp_path), tmp_path / "out"
    out.mkdir()
    total = sum(path.stat().st_size for path in images.values())
    assert total > 380_000_000
    before = stick.bytes_read()
    for command in (
        here.import_from(stick.mount_point),
        here.command("release", "review", VERSION),
        here.sign(),
        here.export(out),
    ):
        drop_caches()
        done = workstation.run(command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    counted = stick.bytes_read() - before
    over = counted - total
    print(f"read {counted:,} bytes of {total:,}: {over:,} ({over / total:.4%}) more than once")
    assert (out / FOLDER / "SHA256SUMS.minisig").exists()
    assert total <= counted <= total * 1.01 + 4 * loop.MIB
