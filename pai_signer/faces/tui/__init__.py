"""The Textual app. Importing this package cleans the environment before Textual reads it."""

from pai_signer.faces.tui.environment import forget_textual_settings

forget_textual_settings()
