"""What the command line asks of an experiment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnnlib import provenance, records
from cnnlib.profiles import runs_folder


@dataclass(frozen=True)
class Command:
    """How much of an experiment is to run, and where what it gives is to be.

    Parameters
    ----------
    profile
        ``"short"`` or ``"full"``.
    seeds
        How many, from 0.
    original_pixels
        An archive or folder of pictures whose test set is measured too, at the end.
    to
        A folder for runs and records; without it, runs are kept in the user's cache folder or in
        ``CNNLIB_RUNS``, and the records of full runs in ``results/``.
    commit
        The commit of this code, where there is no git to ask.
    """

    profile: str = "short"
    seeds: int = 1
    original_pixels: Path | None = None
    to: Path | None = None
    commit: str | None = None

    @property
    def runs(self) -> Path:
        """The folder of runs: those under way, and those that have ended."""
        return self.to / "runs" if self.to else runs_folder()

    @property
    def records(self) -> Path:
        """The folder of records: a short run's is never among the shipped ones."""
        if self.to:
            return self.to
        return records.results_folder() if self.profile == "full" else runs_folder()

    def origin(self) -> dict:
        """Return when, by which command, from which commit and with which versions this runs."""
        facts = provenance.describe_run()
        if self.commit:
            facts["git"] = {"commit": self.commit, "dirty": False}
        return facts
