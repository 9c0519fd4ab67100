"""Our own Markdown pages set into rows of plain text, for both faces.

Headings stand at the margin and everything else is set in, so that the structure shows
without colour or glyphs (FACE-2). Whatever a page holds goes through ``Layout.shown``.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from pai_signer.faces.rows import Layout, Row, cells, wrapped

_BODY: Final = 2
_CODE: Final = 4
_GAP: Final = 2
_NARROWEST: Final = 8
#: A word of a shell command with the quoted parts that it holds.
_SHELL_WORD: Final = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"'])+""")


@lru_cache(maxsize=8)
def markdown_rows(source: str, layout: Layout) -> tuple[Row, ...]:
    """A page of Markdown (CommonMark with tables) as rows no wider than the layout."""
    tree = SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(source))
    return tuple(_blocks(tree.children, layout, _BODY))


def _blocks(
    nodes: Sequence[SyntaxTreeNode], layout: Layout, indent: int, *, tight: bool = False
) -> list[Row]:
    rows: list[Row] = []
    for node in nodes:
        block = _block(node, layout, indent)
        if rows and block and not tight:
            rows.append(Row(""))
        rows.extend(block)
    return rows


def _block(node: SyntaxTreeNode, layout: Layout, indent: int) -> Sequence[Row]:
    match node.type:
        case "heading":
            return layout.heading(_inline(node))
        case "paragraph":
            return layout.text(_inline(node), indent)
        case "bullet_list" | "ordered_list":
            return _list(node, layout, indent)
        case "fence" | "code_block":
            return _code(node, layout, indent + _CODE)
        case "table":
            return _table(node, layout, indent)
        case "blockquote":
            return _blocks(node.children, layout, indent + _CODE)
        case "html_block" | "hr":
            return ()
        case kind:
            raise NotImplementedError(kind)  # a page of ours with what no page had before


# --- inline -----------------------------------------------------------------------------


def _inline(node: SyntaxTreeNode) -> str:
    """The text of a node, its marks left out: what stands there has to say it."""
    match node.type:
        case "text":
            return node.content
        case "code_inline":
            return f"'{node.content}'" if " " in node.content else node.content
        case "softbreak" | "hardbreak":
            return " "
        case "link":
            return _link(node)
        case "html_inline":
            return ""
        case _:
            return "".join(map(_inline, node.children))


def _link(node: SyntaxTreeNode) -> str:
    """Another page is named as ``help`` takes it; any other address is written out."""
    text = "".join(map(_inline, node.children))
    address = str(node.attrs["href"])
    if re.fullmatch(r"[a-z-]+\.md", address):
        return f"{text} (pai-signer help {address.removesuffix('.md')})"
    return text if text == address else f"{text} ({address})"


# --- lists and code -----------------------------------------------------------------------


def _list(node: SyntaxTreeNode, layout: Layout, indent: int) -> Sequence[Row]:
    start = int(node.attrs.get("start", 1))
    tight = all(child.hidden for item in node.children for child in item.children[:1])
    rows: list[Row] = []
    for number, item in enumerate(node.children, start):
        marker = "- " if node.type == "bullet_list" else f"{number}. "
        within = indent + len(marker)
        first, *more = _blocks(item.children, layout, within, tight=tight) or [Row(" " * within)]
        if rows and not tight:
            rows.append(Row(""))
        rows.append(replace(first, text=" " * indent + marker + first.text[within:]))
        rows.extend(more)
    return rows


def _code(node: SyntaxTreeNode, layout: Layout, indent: int) -> Sequence[Row]:
    rows: list[Row] = []
    for line in node.content.splitlines():
        shown, room = layout.shown(line.expandtabs()), max(layout.width - indent, 1)
        parts = _shell_parts(shown, room) if node.info == "sh" else wrapped(shown, room)
        rows += [Row((" " * indent + part).rstrip()) for part in parts]
    return rows


def _shell_parts(line: str, room: int) -> list[str]:
    """A command that is too long goes on in the next row, as a shell reads it."""
    if cells(line) <= room:
        return [line]
    parts: list[str] = []
    part = ""
    for word in _SHELL_WORD.findall(line):
        longer = f"{part} {word}" if part else word
        if part.strip() and cells(longer) > room - 2:
            parts.append(part + " \\")
            longer = f"    {word}"
        part = longer
    return [piece for whole in (*parts, part) for piece in wrapped(whole, room)]


# --- tables -----------------------------------------------------------------------------


def _table(node: SyntaxTreeNode, layout: Layout, indent: int) -> Sequence[Row]:
    head, *body = [
        [layout.shown(_inline(cell)) for cell in row.children]
        for part in node.children
        for row in part.children
    ]
    widths = _widths([head, *body], layout.width - indent)
    rows = _table_row(head, widths, indent, is_heading=True)
    rows.append(Row(" " * indent + (" " * _GAP).join("-" * width for width in widths)))
    # Where the first column breaks, only a gap tells one row from the next.
    apart = any(cells(line[0]) > widths[0] for line in body)
    for number, line in enumerate(body):
        if apart and number:
            rows.append(Row(""))
        rows += _table_row(line, widths, indent)
    return rows


def _table_row(
    line: Sequence[str], widths: Sequence[int], indent: int, *, is_heading: bool = False
) -> list[Row]:
    columns = [wrapped(text, width) for text, width in zip(line, widths, strict=True)]
    rows: list[Row] = []
    for number in range(max(map(len, columns))):
        parts = [column[number] if number < len(column) else "" for column in columns]
        padded = [
            part + " " * (width - cells(part)) for part, width in zip(parts, widths, strict=True)
        ]
        text = " " * indent + (" " * _GAP).join(padded)
        rows.append(Row(text.rstrip(), is_heading=is_heading))
    return rows


def _widths(lines: Sequence[Sequence[str]], room: int) -> list[int]:
    """Each column as wide as its longest cell; the widest give way until all fit."""
    widths = [max(1, *map(cells, column)) for column in zip(*lines, strict=True)]
    room -= _GAP * (len(widths) - 1)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths
