"""The pages that are shipped: a topic each, set in plain text, and true to the program."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest

import pai_signer
from pai_signer import errors
from pai_signer.domain.profile import parse_profile
from pai_signer.domain.version import parse_version
from pai_signer.faces import topics
from pai_signer.faces.cli.main import cli
from pai_signer.faces.cli.man_page import EXITS, commands, man_page
from pai_signer.faces.markdown_rows import markdown_rows
from pai_signer.faces.rows import Layout, cells, shown
from pai_signer.faces.topics import TOPICS, Topic, source_of, topic_for
from pai_signer.workflows import catalogue
from tests.cli.documents import check_spelling, documented

DOCS: Final = Path(pai_signer.__file__).parent / "docs"
README: Final = DOCS.parents[1] / "README.md"
PAGES: Final = [pytest.param(topic, id=topic.name) for topic in TOPICS]


def texts(source: str, width: int = 80) -> list[str]:
    return [row.text for row in markdown_rows(source, Layout(width, lat15=True))]


# --- the table of topics --------------------------------------------------------------------


def test_every_page_is_a_topic_and_every_topic_a_page() -> None:
    assert {topic.file for topic in TOPICS} == {path.name for path in DOCS.iterdir()}
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert all(topic.file == f"{topic.name}.md" for topic in TOPICS), "links name files"


def test_the_page_that_fits_is_named_for_every_group_and_for_actions_that_exist() -> None:
    groups = {group.value for group in catalogue.Group} - {""}
    assert set(topics._OF_GROUP) == groups
    assert set(topics._OF_ACTION) <= {entry.id for entry in catalogue.CATALOGUE}
    assert topic_for("Backups").name == "custody"
    assert topic_for("Backups", "backup.lost.medium").name == "disasters"
    assert topic_for().name == "first-evening"


# --- setting --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("topic", PAGES)
def test_a_page_fits_its_width_and_every_glyph_is_in_the_font(topic: Topic, width: int) -> None:
    source = source_of(topic)
    glyphs = set(source) - {"\n", "\t"}
    assert {glyph for glyph in glyphs if shown(glyph, lat15=True) != glyph} == set()
    rows = texts(source, width)
    assert rows[0].strip()
    assert [row for row in rows if cells(row) > width] == []
    assert "**" not in "".join(rows)


@pytest.mark.parametrize("topic", PAGES)
def test_no_word_of_a_page_is_lost(topic: Topic) -> None:
    """But for tables, whose cells may break in the middle of a word."""
    lines = [x for x in source_of(topic).splitlines() if not x.startswith(("|", "```"))]
    addresses = re.compile(r"\]\([^)]*\)")
    said = set(re.findall(r"[A-Za-z0-9]+", addresses.sub("]", "\n".join(lines))))
    assert said - set(re.findall(r"[A-Za-z0-9]+", "\n".join(texts(source_of(topic))))) == set()


def test_structure_shows_by_indent_alone() -> None:
    source = (
        "# Title\n\nSome *text* with `code` and `two words`\nand [a page](custody.md).\n\n"
        "- one\n- two\n\n1. first\n2. second\n\n```text\n  as it is\n```\n"
    )
    assert texts(source, 60) == [
        "Title",
        "",
        "  Some text with code and 'two words' and a page (pai-signer",
        "  help custody).",
        "",
        "  - one",
        "  - two",
        "",
        "  1. first",
        "  2. second",
        "",
        "        as it is",
    ]


def test_a_table_gives_way_in_its_widest_column() -> None:
    source = "| key | means |\n| --- | --- |\n| `a` | one two three four five |\n| b | six |\n"
    assert texts(source, 24) == [
        "  key  means",
        "  ---  -----------------",
        "  a    one two three",
        "       four five",
        "  b    six",
    ]


def test_where_the_first_column_breaks_rows_stand_apart() -> None:
    source = "| k | v |\n| - | - |\n| one two three four | five six seven |\n| b | c |\n"
    rows = texts(source, 24)
    assert rows.count("") == 1
    assert rows[-1].split() == ["b", "c"]


def test_a_long_command_goes_on_as_a_shell_reads_it() -> None:
    line = 'pai-signer release unsigned v0.1.0 --manifest old/SUMS --reason "from before the keys"'
    rows = texts(f"```sh\n{line}\n```\n", 50)
    assert len(rows) > 1
    assert all(cells(row) <= 50 for row in rows)
    # A shell takes a backslash at the end of a line out, and the line end with it.
    assert shlex.split("\n".join(rows).replace("\\\n", "")) == shlex.split(line)


def test_what_comes_from_outside_would_be_escaped() -> None:
    assert texts("a\x1b[31m \u202eb\n") == [r"  a\x1b[31m \u202eb"]


# --- what the pages say -----------------------------------------------------------------------


@pytest.mark.parametrize("path", [README, *sorted(DOCS.iterdir())], ids=lambda path: path.name)
def test_every_command_is_spelt_as_the_program_takes_it(path: Path) -> None:
    for arguments in documented(path):
        check_spelling(arguments)


@pytest.mark.parametrize(
    "line",
    [
        "backups status",
        "backup forget",
        "backup lost laptop --whose Bob",
        "backup lost medium --who Bob",
        "key rotate minisign --reason stolen",
        "help nonsense",
    ],
)
def test_a_command_that_the_program_does_not_take_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        check_spelling(line.split())


def test_each_command_of_the_first_evening_and_of_most_cards_is_run_by_a_test() -> None:
    """By the tests of the README and of the two documents, in the same words, or as named here."""
    run = [
        *documented(README),
        *documented(DOCS / "custody.md"),
        *documented(DOCS / "ceremonies.md"),
        ["rehearse", "--headless"],  # cli/test_main_job.py
        ["rehearse"],  # tui/test_whole_job.py
    ]
    evening = documented(DOCS / "first-evening.md")
    assert len(evening) >= 20
    assert [arguments for arguments in evening if arguments not in run] == []
    kinds = {tuple(arguments[:2]) for arguments in run}
    cards = documented(DOCS / "disasters.md")
    assert len(cards) > 30
    # Run by workflows/test_release_index.py and cli/test_main_job.py.
    elsewhere = {("release", "deprecate"), ("release", "list"), ("key", "list")}
    assert {tuple(arguments[:2]) for arguments in cards} - kinds - {("check",)} <= elsewhere


def test_each_card_says_what_comes_first_second_and_third() -> None:
    cards = (DOCS / "disasters.md").read_text().split("\n## Card ")[1:]
    assert len(cards) == 7
    for number, card in enumerate(cards, 1):
        assert card.startswith(f"{number}: ")
        places = [card.find(f"\n{word}") for word in ("First", "Second", "Third")]
        assert -1 < places[0] < places[1] < places[2], card
        assert "```sh\npai-signer " in card


def test_the_second_project_is_one_that_the_program_takes() -> None:
    toml = re.findall(r"```toml\n(.*?)```", (DOCS / "profiles.md").read_text(), re.DOTALL)
    (profile,) = [parse_profile(text.encode()) for text in toml]
    assert not profile.artifacts.signature_per_artifact
    found = profile.release_of_name("orbit-2026.11.0.tar.xz")
    assert found is not None
    version, wanted = found
    assert wanted.image == "none"
    assert profile.tag_of(version) == "release-2026.11.0"
    assert profile.version_of("release-2026.11.0") == parse_version("2026.11.0")
    assert profile.tag_message_of(version) == "Orbit release-2026.11.0"
    with pytest.raises(errors.SignerError):
        profile.version_of("release-2026.09.0")


def test_the_page_on_profiles_explains_every_key() -> None:
    text = (DOCS / "profiles.md").read_text()
    toml = text.partition("```toml\n")[2].partition("```")[0]
    section, keys = "", set()
    for line in toml.splitlines():
        if match := re.fullmatch(r"\[+([a-z.]+)\]+", line):
            section = match[1]
        elif line:
            keys.add(f"{section}.{line.partition(' = ')[0]}")
    explained = set(re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", text.partition("| key |")[2]))
    # The names and the kind of an artifact stand in the rows of their table.
    assert keys - explained == {"artifacts.wanted.architecture", "artifacts.wanted.names"}
    assert explained - keys == {"artifacts.wanted"}


def test_exit_codes_are_those_of_the_program() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert set(EXITS) == codes
    rows = re.findall(r"\| (\d) \| (.*) \|", (DOCS / "command-line.md").read_text())
    assert {int(code): said for code, said in rows} == EXITS


# --- the man page -----------------------------------------------------------------------------


def root() -> click.Context:
    return click.Context(cli, info_name="pai-signer", **cli.context_settings)


def test_the_man_page_names_every_command_and_every_option() -> None:
    page = man_page(root()).replace("\\-", "-")
    found = list(commands(root()))
    assert len(found) > 35
    for context in found:
        section = page.partition(f'.SS "{context.command_path}')[2].partition(".SS ")[0]
        assert section, context.command_path
        for parameter in context.command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.opts[0] in section, (context.command_path, parameter.opts)


def test_man_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    page = tmp_path / "pai-signer.1"
    page.write_text(man_page(root()))
    command = ["groff", "-man", "-ww", "-Tascii", "-P-c", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "pai-signer release sign [OPTIONS] VERSION" in re.sub(".\b", "", done.stdout)
