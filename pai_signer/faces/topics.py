"""The pages that can be read without a network: one table for both faces (FACE-1).

They are the Markdown files in ``pai_signer/docs``; ``help TOPIC`` prints one and F1 in the app
opens the one that fits the screen.
"""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final


@dataclass(frozen=True)
class Topic:
    """A page: what ``help`` takes, what it is about, and its file in ``pai_signer/docs``."""

    name: str
    title: str
    file: str


#: In the order in which somebody new would read them.
TOPICS: Final = (
    Topic(
        "first-evening", "The first evening: rehearsal, vault, first release", "first-evening.md"
    ),
    Topic("ceremonies", "The life of the keys: birth, extension, rotation", "ceremonies.md"),
    Topic("custody", "Backups of the keys, and the proof that they work", "custody.md"),
    Topic("verify-pai", "For users: verify a release with stock tools", "verify-pai.md"),
    Topic("disasters", "Cards for the bad day: lost, stolen, wrong, dead", "disasters.md"),
    Topic("command-line", "Scripts, completion, the man page, exit codes", "command-line.md"),
    Topic("profiles", "Another project: its names, files and cadences", "profiles.md"),
    Topic("formats", "Every file that is written, and how to check it", "formats.md"),
    Topic("secrets", "Where each secret lives, and what cannot be wiped", "secrets.md"),
    Topic("threats", "Who attacks, what stops them, what does not", "threats.md"),
    Topic("assurance", "Each claim with its check and its tests", "assurance.md"),
)

FIRST: Final = "first-evening"
#: The topic of each group of actions, by the group's name; Home has none.
_OF_GROUP: Final = {
    "Releases": "first-evening",
    "Keys": "ceremonies",
    "Backups": "custody",
    "Ceremonies": "ceremonies",
    "Ceremonies on paper": "ceremonies",
}
#: Actions whose topic is not that of their group.
_OF_ACTION: Final = {
    "backup.lost.medium": "disasters",
    "backup.lost.passphrase": "disasters",
    "backup.lost.maintainer": "disasters",
    "verify": "verify-pai",
    "key.revoke": "disasters",
    "key.drill": "disasters",
    "release.deprecate": "disasters",
    "journal.verify": "disasters",
}


def names() -> tuple[str, ...]:
    """What ``help`` takes."""
    return tuple(topic.name for topic in TOPICS)


def topic_named(name: str) -> Topic:
    """The topic of this name; ``KeyError`` if there is none, which is a bug in a caller."""
    return {topic.name: topic for topic in TOPICS}[name]


def topic_for(group: str = "", action: str = "") -> Topic:
    """The page that fits a group of actions, or one action of it."""
    return topic_named(_OF_ACTION.get(action) or _OF_GROUP.get(group, FIRST))


def source_of(topic: Topic) -> str:
    """The page's Markdown, which is a part of the program like its modules."""
    return files("pai_signer").joinpath("docs", topic.file).read_text("utf-8")
