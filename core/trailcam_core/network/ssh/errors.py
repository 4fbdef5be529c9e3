"""Errors of a connection to another machine, and OpenSSH's messages as one line with a next step."""

from trailcam_core.errors import DeployError

_SHOWN_LINES = 3
_SHOWN_CHARACTERS = 400
_NOISE = "sudo: unable to resolve host"  # printed before everything where /etc/hosts lacks the machine's own name


class HostError(DeployError):
    """One host cannot be worked on. The message does not name the host."""


class OfflineError(HostError):
    """The host does not answer; a later attempt may succeed."""


def explain(stderr: str, destination: str) -> HostError:
    """Return the error for the stderr of an ``ssh`` that failed."""
    host = destination.rpartition("@")[2]
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr or ("host key for" in stderr and "has changed" in stderr):
        return HostError(
            "its host key has changed: a new system on the card, or another machine in between. Nothing was sent. "
            f'If the card was written anew: "ssh-keygen -R {host}", then "ssh {destination}" and compare.'
        )
    if "Host key verification failed" in stderr or "host key is known" in stderr:
        return HostError(
            f'its host key is not known here, and keys are never accepted unseen. Run "ssh {destination}" once, '
            "compare the fingerprint with the one on its console, then try again."
        )
    if "Permission denied" in stderr or "Too many authentication failures" in stderr:
        return HostError(
            f'it refuses the login ({last_lines(stderr, 1)}). Try "ssh {destination}"; "ssh-copy-id {destination}" '
            "installs your key there."
        )
    return OfflineError(f"no answer ({last_lines(stderr, 1) or 'the connection was lost'}).")


def last_lines(text: str, count: int = _SHOWN_LINES) -> str:
    """Return the last lines of a program's output as one line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip() and not line.startswith(_NOISE)]
    shown = "; ".join(lines[-count:])
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"... {shown[-_SHOWN_CHARACTERS:].partition(' ')[2]}"
