"""``custom.toml`` and the kernel's command line, as Raspberry Pi OS 12 reads them at its first start.

Source: init_config and firstboot of raspberrypi-sys-mods. The first start (``init=``) applies custom.toml, deletes it
and starts again; the second runs the hook by ``systemd.run`` and starts again; the third is a camera.
"""

from trailcam_core.records import toml_string
from trailcam_deploy.sdcard.card import FOLDER, CardSettings

HOOK = (
    f"systemd.run=/boot/firmware/{FOLDER}/hook.sh systemd.run_success_action=reboot "
    "systemd.unit=kernel-command-line.target"
)


def custom_toml(settings: CardSettings) -> str:
    """Return ``custom.toml``; a user without a password is locked, and has keys."""
    keys = ", ".join(toml_string(key) for key in settings.authorized_keys)
    lines = [
        "config_version = 1",
        "",
        "[system]",
        f"hostname = {toml_string(settings.hostname)}",
        "",
        "[user]",
        f"name = {toml_string(settings.user)}",
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
            f"ssid = {toml_string(wifi.ssid)}",
            f"password = {toml_string(wifi.psk)}",
            "password_encrypted = true",
            f"hidden = {'true' if wifi.hidden else 'false'}",
            f"country = {toml_string(wifi.country)}",
        ]
    return "\n".join(lines) + "\n"


def hooked_cmdline(cmdline: str) -> str:
    """Return the kernel's command line with the hook; one that has it already stays as it is."""
    line = cmdline.strip()
    return cmdline if "systemd.run=" in line else f"{line} {HOOK}\n"
