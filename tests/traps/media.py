"""The traps of media that are read (CUS-2)."""

from typing import Final

from tests.traps.table import Guard, Trap

MEDIA: Final = (
    Trap(
        "a medium pulled out lists as empty; a file that was read before comes out of memory",
        (
            "adapters/test_backup_reader.py::"
            "test_a_pulled_medium_is_never_an_empty_or_a_damaged_one",
            "adapters/test_backup_reader.py::test_every_byte_comes_past_the_page_cache",
        ),
        (
            Guard(
                "adapters/backup_reader.py",
                "            check_medium_is_there(top, reading.shown_path)\n",
                "",
            ),
            Guard(
                "adapters/backup_reader.py",
                "source.read_uncached(file.name,",
                "source.read_small(file.name,",
            ),
        ),
    ),
)
