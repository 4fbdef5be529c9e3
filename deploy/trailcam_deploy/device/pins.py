"""Pinned dependencies of a camera: the versions and digests of this Trailcam, from ``data/pins``.

A package index, or a package in it, that an attacker has taken over cannot bring other files to a device.
``tools/pin_dependencies.py`` writes them.
"""

from pathlib import Path

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.device.facts import Facts

PINS = Path(__file__).parents[1] / "data" / "pins"


def pinned_requirements(facts: Facts) -> str:
    """Return the requirements with digests for a device, in the format of pip; apt's numpy is left as it is.

    Raises:
        HostError: there are none for its Python.
    """
    python = ".".join(map(str, facts.python))
    old_numpy = bool(facts.numpy) and facts.numpy < (2,)
    path = PINS / f"{python}{'-numpy1' if old_numpy else ''}.txt"
    if not path.is_file():
        with_numpy = f" with numpy {'.'.join(map(str, facts.numpy))}" if old_numpy else ""
        raise HostError(
            f"no dependencies are pinned for its Python {python}{with_numpy}. --newest installs the newest of the "
            "package index, which is then trusted; --wheels DIR brings them from here."
        )
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not (facts.numpy and line.startswith("numpy==")))
