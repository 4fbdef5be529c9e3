"""What can go wrong between here and a device, and what ``ssh`` says then, as one line with a next step."""

from trailcam_core.errors import DeployError

__all__ = ["HostError", "OfflineError", "explain", "last_lines"]

_SHOWN_LINES = 3
_NOISE = "sudo: unable to resolve host"  # said before everything where /etc/hosts lacks the machine's own name


class HostError(DeployError):
    """One device cannot be worked on; the message does not name it."""


class OfflineError(HostError):
    """It does not answer: to be tried again another time."""


def explain(said: str, destination: str) -> HostError:
    """Turn ssh's last words into an error with a next step."""
    host = destination.rpartition("@")[2]
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in said or ("host key for" in said and "has changed" in said):
        return HostError(
            "its host key is another one than before: a new system on the card, or somebody in between. Nothing was "
            f'sent. If the card was written anew: "ssh-keygen -R {host}", then "ssh {destination}" and compare.'
        )
    if "Host key verification failed" in said or "host key is known" in said:
        return HostError(
            f'its host key is not known here, and keys are never accepted unseen. Run "ssh {destination}" once, '
            "compare the fingerprint with the one on its console, then try again."
        )
    if "Permission denied" in said or "Too many authentication failures" in said:
        return HostError(
            f'it refuses the login ({last_lines(said, 1)}). Try "ssh {destination}"; "ssh-copy-id {destination}" '
            "brings your key there."
        )
    return OfflineError(f"no answer ({last_lines(said, 1) or 'the connection was lost'}).")


def last_lines(text: str, count: int = _SHOWN_LINES) -> str:
    """Return the end of what a program said, in one line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip() and not line.startswith(_NOISE)]
    return "; ".join(lines[-count:])[-400:]
