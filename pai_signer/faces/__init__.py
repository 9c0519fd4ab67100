"""The two faces of one program: a terminal app and a command line."""
