"""The screens of SCREENS.md."""
