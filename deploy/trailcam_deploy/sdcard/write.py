"""Write the boot partition in an order that leaves an ordinary card if it is removed too early."""

import os
import shutil
from pathlib import Path

from trailcam_core.errors import DeployError
from trailcam_core.files.atomic import make_folder
from trailcam_deploy.sdcard.card import FOLDER, CardSettings, System
from trailcam_deploy.sdcard.cloud_init import meta_data, network_config, user_data
from trailcam_deploy.sdcard.custom_toml import custom_toml, hooked_cmdline
from trailcam_deploy.sdcard.first_boot import CardFiles

_SPARE_BYTES = 8_000_000
_CHUNK_BYTES = 1 << 20


def system_files(system: System, settings: CardSettings, cmdline: str) -> dict[str, str]:
    """Return the system's files by name, in the order of writing: the file that starts the rest is last."""
    if system == "cloud-init":
        return {
            "ssh": "",
            "network-config": network_config(settings),
            "meta-data": meta_data(settings),
            "user-data": user_data(settings),
        }
    return {"ssh": "", "custom.toml": custom_toml(settings), "cmdline.txt": hooked_cmdline(cmdline)}


def write_card(mount: Path, system: System, settings: CardSettings, files: CardFiles) -> None:
    """Write a card; files of an earlier attempt are replaced.

    Raises:
        DeployError: there is no room.
        OSError: it cannot be written.
    """
    folder = mount / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    free = shutil.disk_usage(mount).free
    if free < files.size_bytes + _SPARE_BYTES:
        raise DeployError(
            f"{mount}: {free / 1e6:,.0f} MB free, {files.size_bytes / 1e6:,.0f} MB are to be written. Leave out "
            "--wheels (the board then needs internet once), or use a card whose first partition is larger."
        )
    for name, upload in files.uploads.items():
        path = folder / name
        make_folder(path.parent)
        with upload.open() as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
            os.fsync(target.fileno())
    for name, text in files.texts.items():
        _write(folder / name, text)
    cmdline = (mount / "cmdline.txt").read_text(encoding="utf-8")
    for name, text in system_files(system, settings, cmdline).items():
        _write(mount / name, text)


def _write(path: Path, text: str) -> None:
    """Write and flush a file: FAT has neither a replacing rename nor modes."""
    make_folder(path.parent)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
