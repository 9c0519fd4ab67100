"""Every picture that is taken: what it shows, and by which words the screen is known."""

from dataclasses import dataclass
from typing import Final

from pai_signer.faces.tui.screens.conversation import ConversationScreen
from pai_signer.faces.tui.screens.frame import Frame
from pai_signer.faces.tui.screens.help import HelpScreen, PageScreen, TopicsScreen
from pai_signer.faces.tui.screens.home import HomeScreen
from pai_signer.faces.tui.screens.menu import GroupScreen
from pai_signer.faces.tui.screens.note import NoteScreen
from pai_signer.faces.tui.screens.notices import AskScreen, LockScreen
from pai_signer.faces.tui.screens.records import ChecksScreen, JournalScreen


@dataclass(frozen=True)
class Shot:
    """One picture; ``shows`` are texts that stand on this screen and on no other of its tour."""

    name: str
    title: str
    screen: type[Frame]
    shows: tuple[str, ...]


def _shot(name: str, title: str, screen: type[Frame], *shows: str) -> Shot:
    return Shot(name, title, screen, shows)


_STEP: Final = ConversationScreen
SHOTS: Final = (
    _shot("welcome", "No vault yet", HomeScreen, "no vault yet at", "Make a new vault"),
    _shot("home-rehearsal", "Home of a rehearsal", HomeScreen, "REHEARSAL", "none yet", "Media"),
    _shot("home-empty", "Home without keys", HomeScreen, "none yet", "nothing to sign yet"),
    _shot("home-keys", "Home with keys", HomeScreen, "rotate by", "nothing to sign yet"),
    _shot("home-signed", "Home with a signed release", HomeScreen, "v0.2.0", "signed"),
    # --- a ceremony
    _shot("ceremonies", "Ceremonies", GroupScreen, "Generate keys", "Esc back"),
    _shot("ceremony-opening", "A ceremony opens", _STEP, "Begin the ceremony?"),
    _shot("ceremony-table", "What lies on the table", _STEP, "Is all of it on the table?"),
    _shot("ceremony-plan", "What will be made", _STEP, "What will be made", "Go on?"),
    _shot("offered-words", "Words for a passphrase", _STEP, "Write these words"),
    _shot("passphrase-again", "The same once more", _STEP, "Type the same passphrase once more."),
    _shot("key-made", "A key is made", _STEP, "minisign key", "[OK]", "Enter go on"),
    _shot("comparing", "A key is compared", _STEP, "minisign public key, as heard"),
    _shot("note", "An exception is noted", NoteScreen, "Note an exception", "differently"),
    _shot("ceremony-end", "Keys are made", _STEP, "key revocations DEST", "Done."),
    # --- a release
    _shot("picker", "The picker of media", _STEP, "Where are the downloaded files?"),
    _shot("found", "What was found", _STEP, "Found in", "Read these files?"),
    _shot("typed-text", "A question with typed text", _STEP, "Commit or branch to tag"),
    _shot("progress", "Artifacts are read", _STEP, "all so far", "/s", "c cancel"),
    _shot("imported", "A release is imported", _STEP, "Imported v0.2.0", "Done."),
    _shot("differs", "A digest differs", _STEP, "they differ from group", "[FAIL]"),
    _shot("refused", "The import is refused", _STEP, "What happened", "Code"),
    _shot("clock", "The clock is confirmed", _STEP, "Does a watch or a phone"),
    _shot("rule", "A rule says no", _STEP, "POL-7", "says no"),
    _shot("waived", "A rule is waived", _STEP, "Go on to the review?", "[WAIVED]"),
    _shot("review", "A page of the review", _STEP, "Review 3/7", "page 2 of"),
    _shot("review-end", "The last page of the review", _STEP, "This is everything that will"),
    _shot("confirm", "The version is typed", _STEP, "Type v0.2.0 to sign it"),
    _shot("passphrase", "A passphrase is typed", _STEP, "Passphrase of the minisign key"),
    _shot("error", "A wrong passphrase", _STEP, "What happened", "Enter try again"),
    _shot("signed", "Signatures are made", _STEP, "Sign 7/7", "verified", "Enter go on"),
    _shot("receipt", "The receipt", _STEP, "Receipt: v0.2.0", "in words"),
    _shot("export", "Signatures are carried out", _STEP, "read back", "Enter go on"),
    _shot("exported", "What to do with them", _STEP, "Exported v0.2.0", "UPLOAD.md"),
    _shot("code-page", "Before a QR code", _STEP, "zbarcam", "There are more pages."),
    _shot("code", "A QR code", _STEP, "part 1 of", "code 1 of"),
    # --- keys and backups
    _shot("keys", "Keys", GroupScreen, "One key in full", "Esc back"),
    _shot("key-list", "The keys", _STEP, "The registry", "Done."),
    _shot("key-in-full", "One key in full", _STEP, "minisign key", "expires", "Done."),
    _shot("backups", "The ledger of backups", GroupScreen, "Make a backup", "Esc back"),
    _shot("backup-status", "What is proved", _STEP, "Backups of the", "prove again by"),
    # --- screens of their own
    _shot("journal", "The journal", JournalScreen, "entries", "/ search"),
    _shot("journal-search", "A search in the journal", JournalScreen, "with 'backup'"),
    _shot("checks", "Checks of this machine", ChecksScreen, "air gap", "F5 check again"),
    _shot("help", "Help for a screen", HelpScreen, "Everywhere", "F1 all pages"),
    _shot("help-topics", "All pages", TopicsScreen, "Pages to read"),
    _shot("help-page", "A page to read", PageScreen, "PgUp PgDn Up Down read"),
    _shot("lock", "Locked", LockScreen, "Locked", "Enter unlock"),
    _shot("quit", "Leaving is asked", AskScreen, "Leave pai-signer?"),
    _shot("too-small", "A terminal that is too small", HomeScreen, "This terminal is 79x23"),
)

#: Those that the README shows (``make pictures``).
PICTURES: Final = ("home-signed", "review", "differs", "backups")
