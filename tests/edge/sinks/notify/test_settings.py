"""Sections of notifications and actions in the configuration; what is refused shows no secret."""

from pathlib import Path

import pytest

from trailcam_core.errors import ConfigError
from trailcam_edge.config.camera_toml import Config, holds_secret, parse_config
from trailcam_edge.service.systemd_units import render_config
from trailcam_edge.sinks.notify.settings import NotifySettings

SECRET = "s3cretT0ken"


def parse(text: str, folder: Path = Path("/etc/trailcam")) -> Config:
    return parse_config(f'[store]\nfolder = "s"\n{text}', "camera.toml", folder)


def test_addresses_labels_and_times_are_read() -> None:
    config = parse('[notify.phone]\naddresses = ["ntfys://ntfy.sh/topic"]\nlabels = ["рысь", "🦊"]\nquiet_min = 30\n')
    assert config.notify["phone"].labels == ("рысь", "🦊")
    assert config.wants_changes
    assert "topic" not in repr(config)
    assert not parse('[notify.p]\naddresses = ["ntfy://h/t"]\nonly_when = "closed"').wants_changes
    assert parse('[sinks.webhook]\nurl = "http://h/"\nevents = ["updated"]').wants_changes
    assert not parse('[sinks.webhook]\nurl = "http://h/"').wants_changes


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("[notify.a]\nquiet_min = 5", "exactly one of addresses"),
        (f'[notify.a]\naddresses = ["tgram://{SECRET}/1"]\nurl = "http://h/"', "exactly one of addresses"),
        (f'[notify.a]\naddresses = "tgram://{SECRET}/1"', "of another type, expected a list of texts"),
        (f'[notify.a]\naddresses = ["{SECRET}"]', r"addresses\[0\] is no address"),
        (f'[notify.a]\naddresses = ["ntfy://h/t", "://{SECRET}"]', r"addresses\[1\] is no address"),
        (f'[notify.a]\naddresses = [["tgram://{SECRET}/1"]]', "of another type"),
        (f'[notify.a]\nurl = "ftp://user:{SECRET}@h/"', "expected http://HOST"),
        ('[notify.a]\nurl = "http://h/"\nbody = "json"', "template belongs to url"),
        ('[notify.a]\nurl = "http://h/"\ntemplate = "{}"', "template belongs to url"),
        ('[notify.a]\nurl = "http://h/"\nbody = "json"\ntemplate = "{label}"', "template is not JSON"),
        (f'[notify.a]\nurl = "http://h/"\nbody = "json"\ntemplate = "{"[" * 100_000}"', "template is not JSON"),
        ('[notify.a]\naddresses = ["ntfy://h/t"]\ntitle = "{secret}"', r"title has \{secret\}"),
        ('[notify.a]\naddresses = ["ntfy://h/t"]\nonly_when = "updated"', "expected one of opened, closed"),
        ('[notify."a b"]\naddresses = ["ntfy://h/t"]', "notify.'a b'., expected a name"),
        ('[actions.a]\ncommand = ["lamp"]', "absolute path of a program"),
        ("[actions.a]\ncommand = []", "absolute path of a program"),
        ('[actions.a]\ncommand = "/bin/true"', "expected a list"),
        ('[actions.a]\nlabels = ["lynx"]', "command is missing"),
        ('[actions.a]\ncommand = ["/bin/true"]\nuser = "Root; rm"', "expected the name of a user"),
        ('[sinks.webhook]\nurl = "http://h/"\nevents = []', "expected one or more of opened"),
        ('[sinks.webhook]\nurl = "http://h/"\nevents = ["opened", "opened"]', "expected one or more of opened"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line_and_without_a_secret(section: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(section)
    assert "camera.toml, line" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_notification_needs_a_store() -> None:
    with pytest.raises(ConfigError, match=r"\[notify\] needs \[store\]"):
        parse_config('[notify.a]\naddresses = ["ntfy://h/t"]', "t", Path("/"))
    with pytest.raises(ConfigError, match=r"\[actions\] needs \[store\]"):
        parse_config('[actions.a]\ncommand = ["/bin/true"]', "t", Path("/"))


def test_any_address_of_a_notification_is_a_secret_of_the_file() -> None:
    assert holds_secret({"notify": {"a": {"addresses": ["tgram://token/1"]}}})
    assert not holds_secret({"notify": {"a": {"addresses_file": "/etc/trailcam/phone"}}})
    assert render_config("demo").count("# addresses = ") == 1


def test_an_address_may_be_in_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "phone"
    path.write_text(f"tgram://{SECRET}/1\n")
    path.chmod(0o640)
    settings = NotifySettings(addresses_file=path)
    assert settings.read_addresses() == (f"tgram://{SECRET}/1",)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="other users may read the address") as caught:
        settings.read_addresses()
    assert SECRET not in str(caught.value)
