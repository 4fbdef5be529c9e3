"""cloud-init's three files, as Raspberry Pi OS 13 reads them from its boot partition.

They are written as JSON, which is YAML: no name or key can break out of its quotes.
Source: cloud-init's module reference; netplan's reference for version 2; what Raspberry Pi Imager 2 writes.
"""

import hashlib
import json
from typing import Any

from trailcam_deploy.sdcard.card import FOLDER, CardSettings

GROUPS = "users,adm,dialout,audio,netdev,video,plugdev,cdrom,games,input,gpio,spi,i2c,render,sudo"


def user_data(settings: CardSettings) -> str:
    """Return ``user-data``: name, user, keys, and the hook."""
    content: dict[str, Any] = {
        "hostname": settings.hostname,
        "manage_etc_hosts": True,
        "ssh_pwauth": False,
        "users": [
            {
                "name": settings.user,
                "groups": GROUPS,
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": list(settings.authorized_keys),
            }
        ],
        "runcmd": [["systemctl", "enable", "--now", "ssh"], ["sh", f"/boot/firmware/{FOLDER}/hook.sh"]],
    }
    return f"#cloud-config\n{_yaml(content)}"


def meta_data(settings: CardSettings) -> str:
    """Return ``meta-data``; another instance id makes a card that was started already apply everything again.

    ``dsmode``, as in the file that it replaces: everything is on the card, so the start does not wait for a network.
    """
    identity = hashlib.sha256(user_data(settings).encode()).hexdigest()[:12]
    content = {"instance-id": f"{settings.hostname}-{identity}", "local-hostname": settings.hostname, "dsmode": "local"}
    return _yaml(content)


def network_config(settings: CardSettings) -> str:
    """Return ``network-config``: cable, and Wi-Fi if set; the start waits for neither."""
    network: dict[str, Any] = {"version": 2, "ethernets": {"eth0": {"dhcp4": True, "optional": True}}}
    wifi = settings.wifi
    if wifi is not None:
        point = {"password": wifi.psk} | ({"hidden": True} if wifi.hidden else {})
        network["wifis"] = {
            "wlan0": {
                "dhcp4": True,
                "optional": True,
                "regulatory-domain": wifi.country,
                "access-points": {wifi.ssid: point},
            }
        }
    return _yaml({"network": network})


def _yaml(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
