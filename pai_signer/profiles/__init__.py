"""Profiles that ship with the program, as TOML."""
