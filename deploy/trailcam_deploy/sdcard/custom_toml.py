"""``custom.toml`` and the kernel's command line, as Raspberry Pi OS 12 reads them at its first start.

Source: init_config and firstboot of raspberrypi-sys-mods. The first start (``init=``) applies custom.toml, deletes it
and starts again; the second runs the hook by ``systemd.run`` and starts again; the third is a camera.
"""

import json

from trailcam_deploy.sdcard.card import FOLDER, CardSettings

HOOK = (
    f"systemd.run=/boot/firmware/{FOLDER}/hook.sh systemd.run_success_action=reboot "
    "systemd.unit=kernel-command-line.target"
)


def custom_toml(settings: CardSettings) -> str:
    """Return ``custom.toml``; a user without a password is locked, and has keys."""
    keys = ", ".join(_text(key) for key in settings.authorized_keys)
    lines = [
        "config_version = 1",
        "",
        "[system]",
        f"hostname = {_text(settings.hostname)}",
        "",
        "[user]",
        f"name = {_text(settings.user)}",
        "",
        "[ssh]",
        "enabled = true",
        "password_authentication = false",
        f"authorized_keys = [{keys}]",
    ]
    wifi = settings.wifi
    if wifi is not None:
        lines += [
            "",
            "[wlan]",
            f"ssid = {_text(wifi.ssid)}",
            f"password = {_text(wifi.psk)}",
            "password_encrypted = true",
            f"hidden = {'true' if wifi.hidden else 'false'}",
            f"country = {_text(wifi.country)}",
        ]
    return "\n".join(lines) + "\n"


def hooked_cmdline(cmdline: str) -> str:
    """Return the kernel's command line with the hook; one that has it already stays as it is."""
    line = cmdline.strip()
    return cmdline if "systemd.run=" in line else f"{line} {HOOK}\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # a JSON string is a basic string of TOML
