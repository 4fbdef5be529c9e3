"""Carries out an update: reads the journal, asks ``decide`` what is next, does it, writes the journal.

updater = Updater(UpdateSettings(), report=print)
bundle = updater.start()                       # the camera, at every start: what to run
updater.install(Path("new.bundle"))            # "trailcam update": stage, self-test, activate
updater.observe(600, 620, bundle)              # the camera, now and then: commit or roll back

The camera and an installing process may run at the same time. A lock guards each step of the journal, and another keeps
a second installer away; the kernel gives both back when a process dies.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.inference.runtimes import check_installed
from trailcam_edge.update.install.journal import BUILTIN, Journal, read_journal, write_journal
from trailcam_edge.update.install.self_test import run_self_test
from trailcam_edge.update.install.slots import Slots, slot_name
from trailcam_edge.update.install.state_machine import (
    after_roll_back,
    began,
    failing,
    gone_back,
    judge_start,
    judge_watch,
    pointed_to,
    refuse_install,
    removable,
    runnable,
)
from trailcam_edge.update.settings import UpdateSettings

__all__ = ["SelfTest", "Updater"]

SelfTest = Callable[[Path], str | None]


class Updater:
    """The update of one device, in one folder that must lie on one file system.

    Args:
        settings: the folder, which is created if it is missing, the limits of the self-test and the rule of the trial.
        report: gets a sentence for everything that a person should know.
        self_test: takes a bundle's folder, gives why it may not run here, or None; a child process by default.
        builtin: the bundle that is always there.
    """

    def __init__(
        self,
        settings: UpdateSettings,
        report: Callable[[str], None],
        self_test: SelfTest | None = None,
        builtin: Path = BUILTIN_BUNDLE,
    ) -> None:
        folder = self._folder = settings.folder
        self._settings = settings
        self._report = report
        self._self_test = self_test or partial(run_self_test, settings=settings)
        self._slots = Slots(folder, builtin)
        self._journal_path = folder / "journal.json"

    def alone(self) -> AbstractContextManager[None]:
        """Keep a second update away from the downloads while this one fetches and installs.

        Raises:
            UpdateError: one is at it already.
        """
        return self._locked("update.lock", wait=False)

    def status(self) -> Journal:
        """Return the journal as it is on disk.

        Raises:
            UpdateError: it is damaged.
            OSError: it cannot be read.
        """
        return read_journal(self._journal_path)

    def start(self) -> Path:
        """Count a start of the camera and return the folder of the bundle to run; it is whole.

        Raises:
            UpdateError: not even the built-in bundle is whole: Trailcam has to be installed again.
            OSError: the disk is full, read-only or failing. ``safe_bundle`` needs no disk that can be written.
        """
        with self._locked("journal.lock"):
            journal = self._read_or_forget()
            whole = {slot for slot in (journal.running, journal.previous) if self._slots.whole(slot)}
            journal = runnable(journal, whole)
            candidate_is_whole = journal.candidate is not None and self._slots.whole(journal.candidate)
            journal = self._settle(judge_start(journal, candidate_is_whole, self._settings))
            return self._checked(pointed_to(journal))

    def bundle_of(self, journal: Journal) -> Path:
        """Return the folder of the bundle that a journal wants to run."""
        return self._slots.path(pointed_to(journal))

    def safe_bundle(self) -> Path:
        """Return the folder of the best bundle that needs no trust in a trial, and write nothing.

        For a disk that cannot be written: starts cannot be counted there, so a candidate is not tried.

        Raises:
            UpdateError: not even the built-in bundle is whole.
        """
        try:
            journal = read_journal(self._journal_path)
        except (OSError, UpdateError) as error:
            self._report(str(error))
            journal = Journal()
        whole = {slot for slot in (journal.running, journal.previous) if self._slots.whole(slot)}
        return self._checked(runnable(journal, whole).running)

    def install(self, source: Path, again: bool = False) -> str:
        """Stage, test and activate a verified bundle; return its slot. The camera has to be started again after it.

        Args:
            source: folder of a bundle; not changed.
            again: even if it was rolled back here before.

        Raises:
            BundleError: it cannot be trusted.
            DeviceError: nothing here can run it; it is not refused for later.
            UpdateError: it failed its self-test, is refused or running, or another update is not over.
            OSError: the disk is full, read-only or failing; the running bundle stays.
        """
        bundle = open_bundle(source)
        bundle.read_golden()
        check_installed(bundle.manifest.model, str(source))
        with self._locked("install.lock", wait=False):
            slot = slot_name(bundle)
            with self._locked("journal.lock"):
                journal = self._settle(self._read_or_forget())
                refuse_install(journal, slot, again)
                self._slots.sweep()
                for old in removable(journal, self._slots.names()):
                    if old != slot:
                        self._slots.remove(old)
            self._slots.stage(bundle)
            with self._locked("journal.lock"):
                self._write(began(journal, slot))
            return self._prove(slot)

    def installed(self, source: Path) -> bool:
        """Say whether a bundle is the running one, or the candidate that is being tried.

        Raises:
            BundleError: it cannot be trusted.
        """
        journal = self._read_or_forget()
        return slot_name(open_bundle(source)) in (journal.running, journal.candidate)

    def resume(self) -> str | None:
        """Finish an installation that was cut off before its self-test was over; return its slot, or None.

        Raises:
            UpdateError: the bundle failed its self-test, or an installation is going on.
        """
        with self._locked("install.lock", wait=False):
            with self._locked("journal.lock"):
                journal = self._settle(self._read_or_forget())
            if journal.state != "self_test" or journal.candidate is None:
                return None
            return self._prove(journal.candidate)

    def observe(self, healthy_s: float, started_s: float, running: Path | None = None) -> Journal:
        """Commit or roll back if it is time to; return the journal.

        After a roll-back the camera has to be started again.

        Args:
            healthy_s: for how long frames have been answered without a break.
            started_s: how long ago ``start`` was called. Both are of a clock that only grows.
            running: what ``start`` returned. The health of another bundle than the candidate, because that was
                activated since, says nothing about it.
        """
        with self._locked("journal.lock"):
            journal = self._read_or_forget()
            if running is not None and running != self.bundle_of(journal):
                return journal
            judged = judge_watch(journal, healthy_s, started_s, self._settings)
            return journal if judged == journal else self._settle(judged)

    def roll_back(self, reason: str) -> Journal:
        """Go back to the running bundle from a candidate, or to the previous one where there is no candidate.

        Raises:
            UpdateError: the built-in bundle runs.
        """
        with self._locked("journal.lock"):
            return self._settle(gone_back(self._read_or_forget(), reason))

    def _prove(self, slot: str) -> str:
        path = self._slots.path(slot)
        reason = self._self_test(path) if self._slots.whole(slot) else "its files are damaged or gone"
        with self._locked("journal.lock"):
            journal = self._read_or_forget()
            if journal.state != "self_test" or journal.candidate != slot:
                raise UpdateError(f"{slot}: was rolled back while it was tested.")
            if reason is None:
                self._settle(replace(journal, state="activate"))
                return slot
            self._settle(failing(journal, reason))
        raise UpdateError(f"{slot}: not activated, because {reason}. The bundle before it runs on.")

    def _settle(self, journal: Journal) -> Journal:
        """Write the journal and carry out the steps that need no self-test; each is done before the next is written."""
        self._write(journal)
        self._slots.point_to(pointed_to(journal))
        if journal.state == "activate":
            journal = replace(journal, state="watch", starts=0)
        elif journal.state == "roll_back":
            self._report(f"{journal.candidate} is rolled back: {journal.reason}.")
            journal = after_roll_back(journal)
        self._write(journal)
        return journal

    def _write(self, journal: Journal) -> None:
        if journal != self._stored():
            write_journal(self._journal_path, journal)

    def _stored(self) -> Journal | None:
        try:
            return read_journal(self._journal_path)
        except UpdateError:
            return None

    def _read_or_forget(self) -> Journal:
        try:
            return read_journal(self._journal_path)
        except UpdateError as error:
            self._report(str(error))
            return Journal()

    def _checked(self, slot: str) -> Path:
        path = self._slots.path(slot)
        if slot == BUILTIN:
            try:
                open_bundle(path)
            except BundleError as error:
                raise UpdateError(f"{error} The built-in bundle is damaged: install Trailcam again.") from error
        return path

    @contextmanager
    def _locked(self, name: str, wait: bool = True) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise UpdateError(f"{self._folder}: another update is going on. Wait until it is over.") from error
            yield
        finally:
            os.close(descriptor)
