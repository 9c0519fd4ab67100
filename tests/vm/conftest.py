"""What the tests in the virtual machine share: why they cannot run here, and the guest's job."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm import jobs, machine, sticks
from tests.vm.bench import Bench
from tests.vm.kernel import MOUNT_POINT
from tests.vm.sticks import Filesystem


@pytest.fixture(scope="session", autouse=True)
def _machine() -> None:
    if why := machine.why_no_machine() or sticks.why_no_sticks():
        pytest.skip(why)


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every guest gets, read-only."""
    return jobs.prepare(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="session", params=sticks.FILESYSTEMS.values(), ids=str)
def filesystem(request: pytest.FixtureRequest) -> Filesystem:
    """Each filesystem in turn."""
    found: Filesystem = request.param
    return found


@pytest.fixture(scope="session")
def bench(
    filesystem: Filesystem, job: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """One guest for every stick of this filesystem that only the stick's own fate matters to."""
    image = filesystem.new_stick(tmp_path_factory.mktemp(filesystem.name) / "stick")
    with machine.boot(image, job) as guest:
        made = Bench(guest, filesystem, image, image.read_bytes())
        with made.stick():
            guest.shell(filesystem.mount() + jobs.FILL + f"umount {MOUNT_POINT}")
        yield dataclasses.replace(made, fresh=image.read_bytes())
