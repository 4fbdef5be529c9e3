"""The list of devices: what it says, and what it must not say."""

import pytest

from trailcam_core.errors import DeployError
from trailcam_deploy.device.host import host_id
from trailcam_deploy.fleet.inventory import parse_inventory

GOOD = """
channel = "meadow"
source = "picamera2"

[hosts.oak]
ssh = "pi@10.0.0.7"

[hosts.brook]

[hosts.gate]
ssh = "gate.example.org"
source = "demo:loop"

[groups.valley]
hosts = ["oak", "gate"]
source = "0"
live = true
"""


def test_a_host_is_what_the_file_its_groups_and_itself_say_in_this_order() -> None:
    hosts = {host.id: host for host in parse_inventory(GOOD, "fleet.toml").hosts}
    assert hosts["oak"].ssh == "pi@10.0.0.7"
    assert (hosts["oak"].channel, hosts["oak"].source, hosts["oak"].live) == ("meadow", "0", True)
    assert (hosts["brook"].ssh, hosts["brook"].source, hosts["brook"].live) == ("brook", "picamera2", None)
    assert hosts["gate"].source == "demo:loop"


def test_groups_and_names_choose() -> None:
    inventory = parse_inventory(GOOD, "fleet.toml")
    assert [host.id for host in inventory.choose(None, ())] == ["oak", "brook", "gate"]
    assert [host.id for host in inventory.choose("valley", ())] == ["oak", "gate"]
    assert [host.id for host in inventory.choose("valley", ("gate",))] == ["gate"]
    with pytest.raises(DeployError, match=r"--group hill.*there are: valley"):
        inventory.choose("hill", ())
    with pytest.raises(DeployError, match="--only brook"):
        inventory.choose("valley", ("brook",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no device"),
        ("[hosts.oak]\n[hosts.oak]", "not TOML"),
        ('[hosts.oak]\nssh = "pi@a"\n[hosts.elm]\nssh = "pi@a"', "hosts.elm and hosts.oak are both pi@a"),
        (
            "[hosts.oak]\nport = 22",
            "line 2: unknown key 'hosts.oak.port', expected one of channel, source, source_file, live, ssh",
        ),
        ("[hosts.oak]\n[group.x]\nhosts = []", "unknown key 'group', expected one of"),
        ('[hosts.oak]\n[groups.x]\nhosts = ["elm"]', "groups.x.hosts names elm"),
        ('[hosts.oak]\n[groups.x]\nhosts = ["oak", "oak"]', "names a device twice"),
        ('[hosts.oak]\n[groups.x]\nhosts = "oak"', "expected a list"),
        ("[hosts.Oak]", "an id has 1 to 64"),
        ('[hosts.oak]\nssh = ""', "hosts.oak.ssh is '', expected a destination"),
        ("[hosts.oak]\nlive = 1", "hosts.oak.live is 1, expected true or false"),
        ("channel = 3\n[hosts.oak]", "channel is 3, expected text"),
        ("hosts = 3", "hosts is 3, expected a table"),
        ("[hosts]\noak = 3", "hosts.oak is 3, expected a table"),
        ("[hosts.oak", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, words: str) -> None:
    with pytest.raises(DeployError) as raised:
        parse_inventory(text, "fleet.toml")
    assert words in str(raised.value)
    assert str(raised.value).startswith("fleet.toml")


@pytest.mark.parametrize(
    ("destination", "name"),
    [
        ("pi@oak.local", "oak"),
        ("pi@Oak", "oak"),
        ("10.0.0.7", "10.0.0.7"),
        ("pi@gate.example.org", "gate.example.org"),
        ("pi@[fe80::1%eth0]", "fe80--1-eth0"),
        ("@", "camera"),
    ],
)
def test_a_destination_gives_an_id(destination: str, name: str) -> None:
    assert host_id(destination) == name
