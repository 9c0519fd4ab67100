"""What the environment may say to the program; the rest is forgotten at the start (SEC-2).

Libraries read variables when they are imported, and some of these leak or inject: Textual's log
and its key presses, ``OPENSSL_CONF`` and ``OPENSSL_MODULES``, which load code, ``SSLKEYLOGFILE``.
So it is not a list of bad names but of those that are used here. What the loader of programs and
Python itself read has had its effect before any line of ours: that can be told, not undone.
"""

import os
from collections.abc import MutableMapping
from typing import Final

#: Where tools may come from; the caller's PATH is not asked.
TOOL_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"

#: The terminal, the language, and where the operator's own files are.
KEPT: Final = {
    *("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
    *("HOME", "XDG_DATA_HOME", "TMPDIR", "PAI_SIGNER_VAULT"),
}
#: How a shell asks for completions (click's protocol); see ``forget_environment``.
COMPLETION: Final = {"_PAI_SIGNER_COMPLETE", "COMP_WORDS", "COMP_CWORD"}
#: By these other code is loaded than was installed: ld.so(8), and python(1).
LOADERS: Final = (
    *("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GCONV_PATH"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONWARNINGS"),
    *("PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"),
)

_loaders_at_start: Final[set[str]] = set()


def forget_environment(
    environ: MutableMapping[str, str] = os.environ, *, may_complete: bool = False
) -> None:
    """Drop every variable that is not used here, before anything else is imported.

    With ``may_complete``, those by which a shell asks for completions stay. They make the program
    print words and end well, so they must never stay where a command was given: a ``verify`` that
    verifies nothing would be a success.
    """
    _loaders_at_start.update(name for name in LOADERS if environ.get(name))
    for name in environ.keys() - (KEPT | COMPLETION if may_complete else KEPT):
        del environ[name]
    environ["PATH"] = TOOL_PATH


def loaders_at_start() -> tuple[str, ...]:
    """The variables by which other code may have been loaded, as the program began."""
    return tuple(sorted(_loaders_at_start))
