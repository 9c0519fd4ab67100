"""The outside world, one file per tool or device."""
