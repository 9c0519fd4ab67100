"""One table of everything that can be done; both faces are made from it (FACE-1)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import pai_signer.faces.cli as cli_package
from pai_signer.errors import UsageError
from pai_signer.faces.cli.main import cli
from pai_signer.workflows import catalogue
from pai_signer.workflows.workbench import Workbench
from tests.workflows.bench import RELEASE

#: Commands that only look; what they show stands on a screen of the app as well.
QUERIES = {
    "check",
    "media list",
    "release review",
    "journal show",
}
#: Commands that work where there is no vault to take a catalogue's bench from.
WITHOUT_VAULT = {"help", "init", "rehearse", "verify", "release collect"}


def commands() -> dict[str, click.Command]:
    """Every command by its words."""

    def walk(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            if isinstance(found, click.Group):
                yield from walk(found, (*words, name))
            else:
                yield " ".join((*words, name)), found

    return dict(walk(cli, ()))


def begun_by_commands() -> dict[str, set[str]]:
    """Catalogue IDs that each function of the command line names, from its source."""
    begun: dict[str, set[str]] = {}
    ids = {entry.id for entry in catalogue.CATALOGUE}
    for path in Path(cli_package.__file__).parent.glob("*_commands.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                if found := {str(text) for text in texts} & ids:
                    begun[node.name] = found
    return begun


def words_of(entry: catalogue.Entry) -> str:
    """The words of an entry's command alone, without an argument (``key rotate minisign``)."""
    words = entry.command.partition(" --")[0]
    return words if words in commands() else words.rpartition(" ")[0]


@pytest.mark.parametrize("entry", catalogue.CATALOGUE, ids=lambda entry: str(entry.id))
def test_every_entry_has_a_command_that_exists(entry: catalogue.Entry) -> None:
    option = entry.command.partition(" --")[2]
    command = commands()[words_of(entry)]
    options = {name for p in command.params for name in p.opts}
    assert not option or f"--{option}" in options


@pytest.mark.parametrize("entry", catalogue.CATALOGUE, ids=lambda entry: str(entry.id))
def test_the_command_of_an_entry_begins_that_entry(entry: catalogue.Entry) -> None:
    words = words_of(entry)
    if words in WITHOUT_VAULT:
        return
    callback = commands()[words].callback
    assert callback is not None
    assert entry.id in begun_by_commands()[callback.__name__]


def test_every_command_that_does_something_is_in_the_catalogue() -> None:
    in_catalogue = {words_of(entry) for entry in catalogue.CATALOGUE}
    assert set(commands()) == in_catalogue | QUERIES | WITHOUT_VAULT


def test_every_command_of_the_product_that_this_issue_builds_exists() -> None:
    assert set(commands()) >= {
        *("init", "check", "media list", "key generate", "key import", "key list", "key show"),
        *("key publish", "release import", "release review", "release sign", "release export"),
        *("release list", "release show", "verify", "journal show", "journal verify"),
        *("journal export", "rehearse"),
    }


def test_every_entry_begins_a_conversation(signed: Workbench) -> None:
    arguments = {"version": RELEASE}
    for entry in catalogue.CATALOGUE:
        done = ("release.sign", "release.unsigned", "key.generate")
        if entry.id in done or entry.id.startswith(("key.import", "backup.lost")):
            continue  # refused here, for it is done, or there is none: see their own tests
        conversation = catalogue.begin(signed, entry.id, arguments)
        assert conversation.workflow.title
        assert conversation.step is not None or conversation.finish().pages


def test_an_unknown_entry_is_refused(signed: Workbench) -> None:
    with pytest.raises(UsageError):
        catalogue.begin(signed, "no.such", {})


def test_ids_and_labels_are_unique() -> None:
    for values in ([e.id for e in catalogue.CATALOGUE], [e.label for e in catalogue.CATALOGUE]):
        assert len(values) == len(set(values))
