"""Root's way into a folder of another user: root gives up its rights first, and follows no link."""

import os
import stat
from pathlib import Path

from trailcam_core.errors import UpdateError

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def become_owner(folder: Path) -> None:
    """Change from root to the user who can exchange a name on the way to ``folder``; else do nothing.

    A file of root in the service's folder would stop the camera, and root that follows a name there can be led
    anywhere. A folder on a way that belongs to root alone is used as root.

    Raises:
        UpdateError: a link, or a folder in which every user may write, is on the way.
    """
    if os.geteuid() != 0:
        return
    owner: os.stat_result | None = None
    path = folder.absolute()
    for part in (*reversed(path.parents), path):
        try:
            found = part.lstat()
        except FileNotFoundError:
            if owner is None and _is_shared(part.parent.lstat()):
                raise _refusal(part.parent, "a folder in which other users may write") from None
            break
        if stat.S_ISLNK(found.st_mode):
            raise _refusal(part, "a link")
        if owner is None and _is_shared(found) and not found.st_mode & stat.S_ISVTX:
            raise _refusal(part, "a folder in which other users may write")
        if found.st_uid != 0:
            owner = found
    if owner is not None:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _is_shared(found: os.stat_result) -> bool:
    """Return True if users other than the owner may write; root's own group counts as root."""
    others = _OTHERS_MAY_WRITE if found.st_gid != 0 else stat.S_IWOTH
    return found.st_uid == 0 and bool(found.st_mode & others)


def _refusal(part: Path, found: str) -> UpdateError:
    return UpdateError(
        f"{part}: is {found}, and root does not write on such a way. Run the command as the user of the camera: "
        '"sudo -u trailcam trailcam update ...", or name the real folder with --folder.'
    )
