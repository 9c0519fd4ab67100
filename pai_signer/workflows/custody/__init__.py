"""Backups of the keys, and the proof that they work (CUS-1 to CUS-4)."""
