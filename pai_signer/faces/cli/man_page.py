"""``pai-signer(1)``, made from the commands themselves, in roff (man(7))."""

from collections.abc import Iterator
from typing import Final

import click

from pai_signer import __version__
from pai_signer.faces.topics import TOPICS

_SUMMARY: Final = "sign releases on an air-gapped workstation"
#: As errors.py numbers them.
EXITS: Final = {
    0: "done",
    1: "a bug in the program",
    2: "the command was not used as it can be",
    3: "refused by a rule; nothing was signed",
    4: "verification failed: a digest, a signature or the journal is wrong",
    5: "could not tell: a tool, a key or a medium is missing or failed",
    6: "cancelled by the operator",
}
_VARIABLES: Final = {
    "PAI_SIGNER_VAULT": "The vault's folder, where --vault is not given.",
    "NO_COLOR": "Where it is set, the app uses no colour.",
    "TERM, COLORTERM, COLUMNS, LINES": "What the terminal is and can.",
}
_SEE_ALSO: Final = "minisign(1), gpg(1), gpgv(1), git-tag(1), git-bundle(1), sha256sum(1)"


def man_page(root: click.Context) -> str:
    """The whole manual page; ``root`` is the context of the program itself."""
    lines = [
        f'.TH PAI\\-SIGNER 1 "" "pai_signer {roff(__version__)}" "User Commands"',
        # No hyphenation and a ragged margin: options and file names stay as they are typed.
        ".nh",
        ".ad l",
        ".SH NAME",
        rf"pai\-signer \- {roff(_SUMMARY)}",
        ".SH SYNOPSIS",
        r".B pai\-signer",
        *text(" ".join(root.command.collect_usage_pieces(root))),
        ".SH DESCRIPTION",
        *text(root.command.help or ""),
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
        *(line for context in commands(root) for line in _command(context)),
        ".SH EXIT STATUS",
        *(line for code, said in EXITS.items() for line in tagged(str(code), said)),
        ".SH ENVIRONMENT",
        *(line for name, said in _VARIABLES.items() for line in tagged(name, said)),
        ".SH SEE ALSO",
        *text(_SEE_ALSO),
        ".PP",
        *text("Pages of the program itself, by pai-signer help TOPIC:"),
        *(line for topic in TOPICS for line in tagged(topic.name, topic.title)),
    ]
    return "\n".join(lines) + "\n"


def commands(context: click.Context) -> Iterator[click.Context]:
    """Every command that does something, depth first, in the order of ``--help``."""
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        if command is not None and not command.hidden:
            yield from commands(click.Context(command, parent=context, info_name=name))


def _command(context: click.Context) -> Iterator[str]:
    usage = " ".join((context.command_path, *context.command.collect_usage_pieces(context)))
    yield f'.SS "{roff(usage)}"'
    for number, paragraph in enumerate((context.command.help or "").split("\n\n")):
        if number:
            yield ".PP"
        yield from text(paragraph)
    yield from _options(context)


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        # Arguments stand in the usage; that every command has --help is said once.
        if not isinstance(parameter, click.Option) or record is None:
            continue
        if context.parent is None or "--help" not in parameter.opts:
            yield from tagged(*record)


def tagged(tag: str, said: str) -> Iterator[str]:
    """A term and what it means."""
    yield ".TP"
    yield rf"\fB{roff(tag)}\fR"
    yield from text(said)


def text(said: str) -> Iterator[str]:
    """Running text; a line that began with a control character would be a request."""
    line = roff(" ".join(said.split()))
    if line:
        yield rf"\&{line}" if line.startswith((".", "\\(aq")) else line


def roff(said: str) -> str:
    """``said`` as text that roff shows as it is: groff_char(7)."""
    escapes = {"\\": r"\e", "-": r"\-", '"': r"\(dq", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti"}
    return "".join(
        escapes.get(char) or (char if char.isascii() else f"\\[u{ord(char):04X}]") for char in said
    )
