"""Transitions of an update: pure functions of the journal, the slots and the time. No disk, no clock."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from trailcam_core.errors import UpdateError
from trailcam_edge.update.errors import RefusedError
from trailcam_edge.update.install.journal import BUILTIN, Journal
from trailcam_edge.update.settings import UpdateSettings


@dataclass(frozen=True)
class SelfTestResult:
    """Measurements of the child process; ``culprit`` is None if the golden vectors were reproduced."""

    culprit: str | None
    latency_p90_ms: float
    memory_mb: float


def judge_self_test(result: SelfTestResult, settings: UpdateSettings) -> str | None:
    """Return the reason for refusing a bundle on this device, or None."""
    if result.culprit is not None:
        return f"the golden vectors are not reproduced here: {result.culprit}"
    if not result.latency_p90_ms <= settings.max_latency_ms:
        return (
            f"90 % of the pictures take {result.latency_p90_ms:.0f} ms, expected {settings.max_latency_ms:.0f} at most"
        )
    if not result.memory_mb <= settings.max_memory_mb:
        return f"it takes {result.memory_mb:.0f} MB of memory, expected {settings.max_memory_mb:.0f} at most"
    return None


def refuse_install(journal: Journal, slot: str, again: bool) -> None:
    """Refuse to install ``slot`` if it is pointless; ``again`` allows one that was rolled back before.

    Raises:
        RefusedError: another update is not finished, this bundle runs already, or it was rolled back.
    """
    if journal.candidate is not None:
        raise RefusedError(
            f"{journal.candidate} is being tried (state {journal.state}). Wait until it is committed, or roll it back."
        )
    if slot == journal.running:
        raise RefusedError(f"{slot} is running already: nothing to do.")
    if slot in journal.refused and not again:
        raise RefusedError(
            f"{slot} was rolled back on this device: {journal.refused[slot]}. Release a better one, or use --again."
        )


def start_trial(journal: Journal, slot: str) -> Journal:
    """Return the journal after staging: the self-test is next."""
    return replace(journal, state="self_test", candidate=slot, starts=0, reason="")


def start_rollback(journal: Journal, reason: str) -> Journal:
    """Return the journal in which a rollback begins, with its reason."""
    return replace(journal, state="roll_back", reason=reason)


def judge_start(journal: Journal, candidate_is_intact: bool, settings: UpdateSettings) -> Journal:
    """Return the journal for a start of the camera: one more is counted during the trial of a candidate."""
    if journal.candidate is None or journal.state == "roll_back":
        return journal
    if not candidate_is_intact:
        return start_rollback(journal, "its files are damaged or gone")
    if journal.state != "watch":
        return journal
    if journal.starts >= settings.most_starts:
        return start_rollback(journal, f"not healthy in {journal.starts} starts")
    return replace(journal, starts=journal.starts + 1)


def judge_trial(journal: Journal, healthy_s: float, started_s: float, settings: UpdateSettings) -> Journal:
    """Return the journal after ``healthy_s`` of unbroken health, ``started_s`` after this start of the camera."""
    if journal.state != "watch":
        return journal
    if healthy_s >= settings.healthy_s:
        return after_commit(journal)
    if started_s >= settings.give_up_s:
        return start_rollback(
            journal, f"not healthy for {settings.healthy_s:.0f} s within {started_s:.0f} s of a start"
        )
    return journal


def after_commit(journal: Journal) -> Journal:
    """Return the journal in which the candidate is the running bundle."""
    if journal.candidate is None:
        raise ValueError("nothing to commit")
    refused = {slot: reason for slot, reason in journal.refused.items() if slot != journal.candidate}
    return Journal(running=journal.candidate, previous=journal.running, refused=refused)


def after_roll_back(journal: Journal) -> Journal:
    """Return the journal in which the candidate is refused and nothing else is changed."""
    if journal.candidate is None:
        raise ValueError("nothing to roll back")
    refused = journal.with_refused(journal.candidate, journal.reason)
    return Journal(running=journal.running, previous=journal.previous, refused=refused)


def operator_rollback(journal: Journal, reason: str) -> Journal:
    """Roll back on request: reject the candidate, or the running bundle if there is no candidate.

    Raises:
        UpdateError: the built-in bundle runs, and there is none before it.
    """
    if journal.candidate is not None:
        return start_rollback(journal, reason)
    if journal.running == BUILTIN:
        raise UpdateError("the built-in bundle is running: there is nothing to go back to.")
    refused = journal.with_refused(journal.running, reason)
    return Journal(running=journal.previous, previous=BUILTIN, refused=refused)


def active_slot(journal: Journal) -> str:
    """Return the slot that ``current`` must point to: the candidate only between self-test and rollback."""
    if journal.state in ("activate", "watch") and journal.candidate is not None:
        return journal.candidate
    return journal.running


def without_damaged(journal: Journal, intact: Collection[str]) -> Journal:
    """Return the journal with an intact running bundle: the running, the previous, else the built-in one."""
    if journal.running == BUILTIN or journal.running in intact:
        return journal
    running = journal.previous if journal.previous in intact else BUILTIN
    refused = journal.with_refused(journal.running, "its files are damaged or gone")
    return replace(journal, running=running, previous=BUILTIN, refused=refused)


def unused_slots(journal: Journal, slots: Collection[str]) -> list[str]:
    """Return the slots besides the running, the previous, the built-in and the candidate's."""
    kept = {journal.running, journal.previous, journal.candidate, BUILTIN}
    return sorted(slot for slot in slots if slot not in kept)
