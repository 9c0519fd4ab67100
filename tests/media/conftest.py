"""Real media, a fresh one for each test."""

from collections.abc import Iterator

import pytest

from tests.media import loop


@pytest.fixture(params=["ext4", "exfat"])
def stick(request: pytest.FixtureRequest) -> Iterator[loop.LoopMedium]:
    """Of each kind of filesystem in turn."""
    with loop.medium(request.param) as made:
        yield made


@pytest.fixture
def ext4() -> Iterator[loop.LoopMedium]:
    with loop.medium("ext4") as made:
        yield made
