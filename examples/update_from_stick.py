"""Update a camera from a USB stick: ``python examples/update_from_stick.py /mnt/release root.json CHANNEL FOLDER``.

The release is verified against the root that the camera trusts, tested in a child process, and activated by a rename.
The command line has the same as ``trailcam update``.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from trailcam import TrailcamError
from trailcam_edge.events.clock import date_is_known
from trailcam_edge.update.fetch.fetch_release import fetch_release
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings


def today() -> datetime | None:
    """Return the time, or None on a board whose clock has not been set."""
    return datetime.now(UTC) if date_is_known() else None


def main(stick: Path, root: Path, channel: str, folder: Path) -> int:
    """Install the newest release of a channel."""
    updater = Updater(UpdateSettings(folder))
    try:
        with updater.exclusive():
            choice, bundle = fetch_release(str(stick), folder, root.read_bytes(), channel, today)
            if bundle is None or updater.installed(bundle):
                print(f"{channel}: up to date")
                return 0
            slot = updater.install(bundle)
    except TrailcamError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{channel} {choice.version}: active as {slot} from the next start of the camera on")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])))
