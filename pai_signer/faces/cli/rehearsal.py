"""``rehearse``: the README's first command."""

import tempfile
from pathlib import Path

import click

from pai_signer.composition import open_rehearsal, prepare_rehearsal, rehearsal_plan
from pai_signer.errors import UsageError
from pai_signer.faces.cli.app_request import AppRequest, WantsApp
from pai_signer.faces.cli.session import CommandSession
from pai_signer.workflows.rehearse import rehearse as play_rehearsal


@click.command()
@click.option("--headless", is_flag=True, help="Play the whole job without the app.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where to keep everything."
)
@click.pass_obj
def rehearse(session: CommandSession, headless: bool, directory: Path | None) -> None:
    """Play the whole job on a practice medium with throwaway keys (FACE-5)."""
    folder = rehearsal_folder(directory)
    if not headless:
        raise WantsApp(AppRequest(session.vault, folder))
    rehearse_headless(session, folder)


def rehearsal_folder(directory: Path | None) -> Path:
    """The folder to rehearse in: the one given, or a new private one."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="pai-signer-rehearsal-"))
    return directory.absolute()


def rehearse_headless(session: CommandSession, folder: Path) -> None:
    """Play everything, then say where it is and how stock tools check it."""
    if not prepare_rehearsal(folder):
        raise UsageError(
            "FACE-5/folder-used",
            f"There is a rehearsal in {folder} already.",
            "Give another --dir, or none for a new folder.",
            unchanged="Nothing was changed.",
        )
    with open_rehearsal(folder) as (bench, _notes):
        session.prompts.is_rehearsal = True
        outcome = play_rehearsal(bench, rehearsal_plan(bench, folder), session.prompts)
    session.finish(outcome)
