"""What a test on real media needs of the machine, else it is skipped."""

from typing import Final

import pytest

from tests.media import loop

needs_loop: Final = [
    pytest.mark.root,
    pytest.mark.skipif(bool(loop.why_no_loop()), reason=loop.why_no_loop() or "works here"),
]
