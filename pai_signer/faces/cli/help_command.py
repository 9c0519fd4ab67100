"""``help``: the pages that are shipped, as plain text; no vault and no tool is asked (FACE-1)."""

import os
import sys
from typing import Final

import click

from pai_signer.domain.page import Line, Page
from pai_signer.errors import EXIT_DONE, UsageError
from pai_signer.faces.cli.anyone import Anyone
from pai_signer.faces.cli.man_page import man_page
from pai_signer.faces.cli.printing import print_json, print_pages
from pai_signer.faces.markdown_rows import markdown_rows
from pai_signer.faces.rows import Layout
from pai_signer.faces.topics import TOPICS, names, source_of, topic_named

#: What every terminal has; printed pages stand well in it too.
_PAGE: Final = Layout(width=80, lat15=True)


@click.command("help")
@click.argument("topic", required=False, type=click.Choice(names()), metavar="[TOPIC]")
@click.option("--man", is_flag=True, help="The manual page of all commands, for man(1).")
@click.pass_obj
def help_(reader: Anyone, topic: str | None, man: bool) -> None:
    """Pages to read offline: without a topic, what there is."""
    if man and topic:
        raise UsageError(
            "FACE-1/help",
            "--man is a page of its own and takes no topic.",
            "Leave one of the two away.",
            unchanged="Nothing was done.",
        )
    if man:
        text = man_page(click.get_current_context().find_root())
        _write(reader, text, {"man": text})
    elif topic:
        page = topic_named(topic)
        rows = markdown_rows(source_of(page), _PAGE)
        text = "".join(row.text + "\n" for row in rows)
        _write(reader, text, {"name": page.name, "title": page.title, "text": text})
    else:
        lines = tuple(Line(page.title, label=page.name) for page in TOPICS)
        data = {"topics": [{"name": page.name, "title": page.title} for page in TOPICS]}
        pages = (Page("pai-signer help TOPIC", lines),)
        print_pages(pages, data, reader.prompts, json=reader.json)


def _write(reader: Anyone, text: str, data: dict[str, str]) -> None:
    if reader.json:
        print_json({**data, "exit_code": EXIT_DONE})
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads had enough (``| head``); the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
