"""``rehearse``: the README's first command."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from pai_signer.composition import open_rehearsal, prepare_rehearsal, rehearsal_plan
from pai_signer.errors import UsageError
from pai_signer.faces.cli.app_request import AppRequest, WantsApp
from pai_signer.faces.cli.session import CommandSession
from pai_signer.workflows.engine import Outcome
from pai_signer.workflows.rehearse import RehearsalPlan
from pai_signer.workflows.rehearse import rehearse as play_rehearsal
from pai_signer.workflows.rehearse_ceremonies import rehearse_ceremonies
from pai_signer.workflows.script import Speaker
from pai_signer.workflows.workbench import Workbench


@click.command()
@click.option("--headless", is_flag=True, help="Play the whole job without the app.")
@click.option(
    "--ceremonies", is_flag=True, help="Headless: then hold every ceremony of the keys' life."
)
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where to keep everything."
)
@click.pass_obj
def rehearse(
    session: CommandSession, headless: bool, ceremonies: bool, directory: Path | None
) -> None:
    """Play the whole job on a practice medium with throwaway keys (FACE-5).

    In the app every ceremony can be rehearsed from its menu.
    """
    folder = rehearsal_folder(directory)
    if headless:
        rehearse_headless(session, folder, rehearse_ceremonies if ceremonies else play_rehearsal)
    elif ceremonies:
        raise UsageError(
            "FACE-5/ceremonies",
            "--ceremonies plays by itself, so it goes with --headless.",
            "Add --headless, or leave it away: the app offers each ceremony.",
            unchanged="Nothing was changed.",
        )
    else:
        raise WantsApp(AppRequest(session.vault, folder))


def rehearsal_folder(directory: Path | None) -> Path:
    """The folder to rehearse in: the one given, or a new private one."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="pai-signer-rehearsal-"))
    return directory.absolute()


def rehearse_headless(
    session: CommandSession,
    folder: Path,
    play: Callable[[Workbench, RehearsalPlan, Speaker], Outcome] = play_rehearsal,
) -> None:
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
        outcome = play(bench, rehearsal_plan(bench, folder), session.prompts)
    session.finish(outcome)
