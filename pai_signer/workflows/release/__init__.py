"""A release, from import to export (IMP, POL, REV, SIG, EXP)."""
