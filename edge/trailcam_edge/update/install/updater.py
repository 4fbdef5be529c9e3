"""The updater: read the journal, compute the next state with ``state_machine``, carry it out, write the journal.

updater = Updater(UpdateSettings())
bundle = updater.start()                       # the camera, at every start: the bundle to run
updater.install(Path("new.bundle"))            # "trailcam update": stage, self-test, activate
updater.observe(600, 620, bundle)              # the camera, periodically: commit or roll back

The camera and an installing process may run at the same time. One lock guards each step of the journal, another
excludes a second installer; the kernel releases both when a process dies.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, UpdateError
from trailcam_core.files.atomic import make_folder
from trailcam_core.inference.runtimes import check_installed
from trailcam_edge.update.errors import BusyError, TrialFailedError
from trailcam_edge.update.install.journal import BUILTIN, Journal, read_journal, write_journal
from trailcam_edge.update.install.self_test import run_self_test
from trailcam_edge.update.install.slots import Slots, slot_name
from trailcam_edge.update.install.state_machine import (
    active_slot,
    after_roll_back,
    judge_start,
    judge_trial,
    operator_rollback,
    refuse_install,
    start_rollback,
    start_trial,
    unused_slots,
    without_damaged,
)
from trailcam_edge.update.settings import UpdateSettings

_log = logging.getLogger(__name__)

SelfTest = Callable[[Path], str | None]


class Updater:
    """The update of one device, in one folder that must lie on one file system.

    Args:
        settings: the folder, which is created if it is missing, the limits of the self-test and the rule of the trial.
        self_test: returns the reason for refusing a bundle's folder, or None; a child process by default.
        builtin: the built-in bundle.
    """

    def __init__(
        self,
        settings: UpdateSettings,
        self_test: SelfTest | None = None,
        builtin: Path = BUILTIN_BUNDLE,
    ) -> None:
        folder = self._folder = settings.folder
        self._settings = settings
        self._self_test = self_test or partial(run_self_test, settings=settings)
        self._slots = Slots(folder, builtin)
        self._journal_path = folder / "journal.json"

    def exclusive(self) -> AbstractContextManager[None]:
        """Exclude a second update from the downloads while this one fetches and installs.

        Raises:
            BusyError: another update is running.
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
        """Count a start of the camera and return the folder of the intact bundle to run.

        Raises:
            UpdateError: even the built-in bundle is damaged: Trailcam has to be reinstalled.
            OSError: the disk is full, read-only or failing. ``safe_bundle`` works without a writable disk.
        """
        with self._locked("journal.lock"):
            journal = self._read_or_reset()
            journal = without_damaged(journal, self._intact_slots(journal))
            candidate_is_intact = journal.candidate is not None and self._slots.is_intact(journal.candidate)
            journal = self._settle(judge_start(journal, candidate_is_intact, self._settings))
            return self._checked(active_slot(journal))

    def bundle_of(self, journal: Journal) -> Path:
        """Return the folder of the active bundle of a journal."""
        return self._slots.path(active_slot(journal))

    def safe_bundle(self) -> Path:
        """Return the folder of the best committed bundle without writing to the disk.

        For a disk that cannot be written: starts cannot be counted there, so a candidate is not tried.

        Raises:
            UpdateError: even the built-in bundle is damaged.
        """
        try:
            journal = read_journal(self._journal_path)
        except (OSError, UpdateError) as error:
            _log.error("%s", error)
            journal = Journal()
        return self._checked(without_damaged(journal, self._intact_slots(journal)).running)

    def install(self, source: Path, again: bool = False) -> str:
        """Stage, test and activate a verified bundle; return its slot. The camera has to be restarted afterwards.

        Args:
            source: folder of a bundle; not changed.
            again: also if it was rolled back here before.

        Raises:
            BundleError: it cannot be trusted.
            DeviceError: no interpreter here can run it; it may be installed later.
            TrialFailedError: it failed its self-test.
            RefusedError: it runs already, was rolled back, or another update is not finished.
            BusyError: another update is running.
            OSError: the disk is full, read-only or failing; the running bundle stays.
        """
        bundle = open_bundle(source)
        bundle.read_golden()
        check_installed(bundle.manifest.model, str(source))
        with self._locked("install.lock", wait=False):
            slot = slot_name(bundle)
            with self._locked("journal.lock"):
                journal = self._settle(self._read_or_reset())
                refuse_install(journal, slot, again)
                self._slots.sweep()
                for old in unused_slots(journal, self._slots.names()):
                    if old != slot:
                        self._slots.remove(old)
            self._slots.stage(bundle)
            with self._locked("journal.lock"):
                self._write(start_trial(journal, slot))
            return self._test_and_activate(slot)

    def installed(self, source: Path) -> bool:
        """Return True if a bundle is the running one or the candidate.

        Raises:
            BundleError: it cannot be trusted.
        """
        journal = self._read_or_reset()
        return slot_name(open_bundle(source)) in (journal.running, journal.candidate)

    def resume(self) -> str | None:
        """Finish an installation that was interrupted before its self-test ended; return its slot, or None.

        Raises:
            TrialFailedError: the bundle failed its self-test.
            BusyError: another installation is running.
        """
        with self._locked("install.lock", wait=False):
            with self._locked("journal.lock"):
                journal = self._settle(self._read_or_reset())
            if journal.state != "self_test" or journal.candidate is None:
                return None
            return self._test_and_activate(journal.candidate)

    def observe(self, healthy_s: float, started_s: float, running: Path | None = None) -> Journal:
        """Commit or roll back if it is due; return the journal.

        After a rollback the camera has to be restarted.

        Args:
            healthy_s: duration of uninterrupted classification.
            started_s: time since ``start`` was called. Both are of a monotonic clock.
            running: the result of ``start``. If the candidate was activated later, this health is that of another
                bundle and does not count.
        """
        with self._locked("journal.lock"):
            journal = self._read_or_reset()
            if running is not None and running != self.bundle_of(journal):
                return journal
            judged = judge_trial(journal, healthy_s, started_s, self._settings)
            return journal if judged == journal else self._settle(judged)

    def roll_back(self, reason: str) -> Journal:
        """Return to the running bundle from a candidate, or to the previous one if there is no candidate.

        Raises:
            UpdateError: the built-in bundle runs.
        """
        with self._locked("journal.lock"):
            return self._settle(operator_rollback(self._read_or_reset(), reason))

    def _test_and_activate(self, slot: str) -> str:
        path = self._slots.path(slot)
        reason = self._self_test(path) if self._slots.is_intact(slot) else "its files are damaged or gone"
        with self._locked("journal.lock"):
            journal = self._read_or_reset()
            if journal.state != "self_test" or journal.candidate != slot:
                raise UpdateError(f"{slot}: was rolled back while it was tested.")
            if reason is None:
                self._settle(replace(journal, state="activate"))
                return slot
            self._settle(start_rollback(journal, reason))
        raise TrialFailedError(f"{slot}: not activated, because {reason}. The bundle before it keeps running.")

    def _settle(self, journal: Journal) -> Journal:
        """Write the journal and carry out the steps that need no self-test; each is done before the next is written."""
        self._write(journal)
        self._slots.point_to(active_slot(journal))
        if journal.state == "activate":
            journal = replace(journal, state="watch", starts=0)
        elif journal.state == "roll_back":
            _log.error("%s is rolled back: %s.", journal.candidate, journal.reason)
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

    def _read_or_reset(self) -> Journal:
        try:
            return read_journal(self._journal_path)
        except UpdateError as error:
            _log.error("%s", error)
            return Journal()

    def _intact_slots(self, journal: Journal) -> set[str]:
        return {slot for slot in (journal.running, journal.previous) if self._slots.is_intact(slot)}

    def _checked(self, slot: str) -> Path:
        path = self._slots.path(slot)
        if slot == BUILTIN:
            try:
                open_bundle(path)
            except BundleError as error:
                raise UpdateError(f"{error} The built-in bundle is damaged: reinstall Trailcam.") from error
        return path

    @contextmanager
    def _locked(self, name: str, wait: bool = True) -> Iterator[None]:
        make_folder(self._folder)
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise BusyError(f"{self._folder}: another update is going on. Wait until it is over.") from error
            yield
        finally:
            os.close(descriptor)
