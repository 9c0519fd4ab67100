"""Pure rules and formats: no I/O, no clock, no third-party code but msgspec."""
