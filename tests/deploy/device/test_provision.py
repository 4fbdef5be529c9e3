"""Which steps a device needs, from facts alone; and devices on which Trailcam cannot live."""

import hashlib
import os
import shlex
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from trailcam_core.errors import DeployError
from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.device.facts import Facts, check_facts, parse_facts
from trailcam_deploy.device.provision import PACKAGES, DeviceSpec, installed_name, plan_provision
from trailcam_deploy.device.wheels import Software, download_command, fitting_wheels, list_wheels

ROOT = b"root metadata"
SHA = hashlib.sha256(ROOT).hexdigest()
SOFTWARE = Software("trailcam==0.1.0")
SPEC = DeviceSpec(SOFTWARE, (b"older", ROOT), "oak", "meadow")
FRESH = Facts(
    bits=64,
    machine="aarch64",
    hostname="raspberrypi",
    system="Debian GNU/Linux 13 (trixie)",
    systemd=True,
    apt=True,
    python=(3, 13),
    missing_packages=PACKAGES,
    opt_free_mb=20_000,
    var_free_mb=20_000,
)
COMPLETE = replace(
    FRESH,
    missing_packages=(),
    installed=installed_name(FRESH, SPEC),
    enabled=True,
    active=True,
    has_config=True,
    source="picamera2",
    root_sha256=SHA,
    device_id="oak",
)


def kinds(facts: Facts, spec: DeviceSpec = SPEC) -> list[str]:
    return [step.kind for step in plan_provision(facts, spec)]


def test_a_fresh_system_needs_everything_in_order() -> None:
    assert kinds(FRESH) == ["packages", "install", "service", "trust"]


def test_a_complete_camera_needs_nothing() -> None:
    assert kinds(COMPLETE) == []


def test_the_newest_root_is_what_a_device_is_given() -> None:
    trust = plan_provision(FRESH, SPEC)[-1]
    assert [upload.content for upload in trust.uploads] == [ROOT]
    assert trust.words == ("oak",)


def test_an_older_root_of_this_fleet_is_trust_enough() -> None:
    assert kinds(replace(COMPLETE, root_sha256=hashlib.sha256(b"older").hexdigest())) == []


def test_a_camera_of_another_fleet_is_left_alone() -> None:
    with pytest.raises(HostError, match=r"belongs to another fleet.*sudo rm -r"):
        plan_provision(replace(COMPLETE, root_sha256="x"), SPEC)


@pytest.mark.parametrize("source", ["rtsp://admin:SECRET@cam/live", "http://cam/SECRET/x", "admin:SECRET@cam"])
def test_an_address_is_sent_as_a_file_and_is_in_no_argument_list(source: str) -> None:
    service = next(step for step in plan_provision(FRESH, replace(SPEC, source=source)) if step.kind == "service")
    assert "SECRET" not in service.script + service.name + "".join(service.words)
    (address,) = service.uploads
    assert (address.content, address.path, address.mode) == (f"{source}\n".encode(), "/etc/trailcam/source", 0o600)
    script = service.script.replace("/opt/trailcam/bin/trailcam", "echo")
    done = subprocess.run(["sh", "-eu", "-c", script, "sh", *service.words], capture_output=True, text=True, check=True)
    assert "--source-file /etc/trailcam/source --update-source" in done.stdout


def test_a_device_keeps_its_camera_and_gets_no_address() -> None:
    kept = replace(COMPLETE, enabled=False)
    (service,) = plan_provision(kept, replace(SPEC, source="rtsp://admin:SECRET@cam/live"))
    assert service.uploads == ()
    assert "SECRET" not in "".join(service.words)


def test_a_device_id_is_never_changed() -> None:
    trust = plan_provision(replace(COMPLETE, root_sha256="", device_id="elm"), SPEC)[-1]
    assert trust.words == ("elm",)


def test_without_a_name_the_host_name_is_the_device_id() -> None:
    assert plan_provision(FRESH, replace(SPEC, device_id=""))[-1].words == ("raspberrypi",)


def test_picamera2_is_for_its_camera_only_and_an_existing_configuration_decides() -> None:
    lacking = ("python3-picamera2",)
    assert kinds(replace(COMPLETE, missing_packages=lacking)) == ["packages", "service"]
    assert kinds(replace(COMPLETE, missing_packages=lacking, source="http://cam/")) == []
    fresh = replace(FRESH, missing_packages=lacking)
    assert "packages" not in kinds(fresh, replace(SPEC, source="0"))


def test_another_trailcam_is_installed_and_the_service_written_anew() -> None:
    assert kinds(replace(COMPLETE, installed="trailcam==0.0.9")) == ["install", "service"]


def test_the_live_page_is_opened_on_a_new_configuration_only() -> None:
    def tokens(facts: Facts, live: bool) -> list[str]:
        steps = plan_provision(facts, replace(SPEC, live=live))
        return [step.words[3] for step in steps if step.kind == "service"]

    assert tokens(FRESH, live=True) == ["/etc/trailcam/token"]
    assert tokens(FRESH, live=False) == [""]
    assert tokens(replace(COMPLETE, enabled=False), live=True) == [""]
    assert tokens(COMPLETE, live=True) == []


def test_the_service_script_installs_a_live_page_with_a_token_that_exists(tmp_path: Path) -> None:
    service = next(step for step in plan_provision(FRESH, SPEC) if step.kind == "service")
    program, token = tmp_path / "trailcam", tmp_path / "etc" / "token"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/words; cp {token} {tmp_path}/seen\n')
    program.chmod(0o755)
    (tmp_path / "chgrp").symlink_to("/bin/true")
    script = service.script.replace("/opt/trailcam/bin/trailcam", str(program))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    words = ["0", "inbox", "meadow", str(token)]
    subprocess.run(["sh", "-euc", script, "sh", *words], check=True, env=environment)
    assert (tmp_path / "words").read_text().endswith(f"|--update-channel|meadow|--live-token-file|{token}|")
    assert len((tmp_path / "seen").read_text()) == 48
    assert token.stat().st_mode & 0o777 == 0o640
    subprocess.run(["sh", "-euc", script.replace("cp ", ": "), "sh", *words[:3], ""], check=True, env=environment)
    assert (tmp_path / "words").read_text().endswith("|--update-channel|meadow|")


def test_apts_numpy_1_is_protected_from_pip() -> None:
    old = replace(FRESH, python=(3, 11), numpy=(1, 24), missing_packages=())
    newest = replace(SPEC, newest=True)
    install = plan_provision(old, newest)[0]
    assert "numpy<2" in install.words
    assert "numpy<2" not in plan_provision(replace(old, numpy=(2, 2)), newest)[0].words
    assert kinds(replace(COMPLETE, python=(3, 11), numpy=(1, 24)))[0] == "install"  # what it has was made without


def test_wheels_are_brought_and_no_index_is_asked(tmp_path: Path) -> None:
    right = tmp_path / "numpy-2.4.0-cp313-cp313-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl"
    wrong = tmp_path / "numpy-2.4.0-cp313-cp313-manylinux_2_27_x86_64.whl"
    any_one = tmp_path / "tuf-7.0.0-py3-none-any.whl"
    for path in (right, wrong, any_one, tmp_path / "trailcam-9.9-py3-none-any.whl"):
        path.write_bytes(b"x")
    wheels = list_wheels(tmp_path)
    assert fitting_wheels(wheels, FRESH) == [right, any_one]
    assert fitting_wheels(wheels, replace(FRESH, python=(3, 11))) == [any_one]
    step = plan_provision(replace(FRESH, missing_packages=()), replace(SPEC, wheels=wheels))[0]
    assert "--no-index" in step.words
    assert step.size_bytes == 2
    with pytest.raises(DeployError, match="holds no wheels"):
        list_wheels(tmp_path / "none")


def test_the_command_that_fetches_wheels_needs_no_index_with_trailcam_and_names_every_platform(tmp_path: Path) -> None:
    command = shlex.split(download_command(tmp_path, "aarch64", (3, 13)))
    platforms = [word for before, word in pairwise(command) if before == "--platform"]
    assert platforms == ["manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64"]
    assert command[:2] == ["pip", "download"]
    assert Path(command[-1]).read_text().startswith("ai-edge-litert==")


def test_what_was_installed_from_wheels_is_kept_by_a_deployment_without_them(tmp_path: Path) -> None:
    wheel = tmp_path / "numpy-2.4.0-cp313-cp313-manylinux_2_28_aarch64.whl"
    wheel.write_bytes(b"x")
    brought = replace(SPEC, wheels=(wheel,))
    camera = replace(COMPLETE, installed=installed_name(COMPLETE, brought))
    for spec in (brought, SPEC, replace(SPEC, newest=True)):
        assert kinds(camera, spec) == []
    newer = replace(SPEC, software=Software("trailcam==0.2.0"))
    assert kinds(camera, newer) == ["install", "service"]
    of_the_index = replace(COMPLETE, installed=installed_name(COMPLETE, replace(SPEC, newest=True)))
    assert kinds(of_the_index) == ["install", "service"]


def test_a_device_gets_trailcam_with_an_opencv(tmp_path: Path) -> None:
    ready = replace(FRESH, missing_packages=())
    assert plan_provision(ready, SPEC)[0].words[-1] == "trailcam[opencv]==0.1.0"
    wheel = tmp_path / "trailcam-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"x")
    built = replace(SPEC, software=Software("trailcam==0.1.0", wheel, "0" * 64))
    assert plan_provision(ready, built)[0].words[-1].endswith("/trailcam-0.1.0-py3-none-any.whl[opencv]")


def test_wheels_for_another_machine_are_refused_before_anything_is_brought(tmp_path: Path) -> None:
    for name in ("numpy-2.4.0-cp313-cp313-manylinux_2_28_x86_64.whl", "tuf-7.0.0-py3-none-any.whl"):
        (tmp_path / name).write_bytes(b"x")
    spec = replace(SPEC, wheels=list_wheels(tmp_path))
    with pytest.raises(HostError, match=r"the wheels of numpy are for another machine .* aarch64 and 3\.13"):
        plan_provision(replace(FRESH, missing_packages=()), spec)
    assert kinds(replace(FRESH, missing_packages=(), numpy=(2, 2)), spec)  # apt's will do


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bits": 32}, r"32-bit one.*64-bit Raspberry Pi OS"),
        ({"machine": "armv7l"}, "processor is armv7l"),
        ({"python": (3, 9)}, r"Python is 3\.9.*expected 3\.11"),
        ({"python": ()}, "Python is none"),
        ({"read_only": ("/opt", "/etc")}, "/opt, /etc: not writable"),
        ({"systemd": False}, "not started by systemd"),
        ({"opt_free_mb": 100}, r"/opt: 100 MB free, the base install needs"),
        ({"var_free_mb": 5}, r"/var/lib: 5 MB free"),
    ],
)
def test_a_device_that_cannot_be_a_camera_is_told_why(changes: dict[str, object], words: str) -> None:
    check_facts(FRESH)
    with pytest.raises(HostError, match=words):
        check_facts(replace(FRESH, **changes))


def test_a_system_without_apt_must_have_the_packages() -> None:
    with pytest.raises(HostError, match="has no apt-get"):
        plan_provision(replace(FRESH, apt=False), SPEC)


def test_what_this_machine_says_of_itself_is_understood() -> None:
    script = Path(__file__).parents[3] / "deploy" / "trailcam_deploy" / "data" / "facts.sh"
    # The probe for writing needs root and leaves nothing; here it may well say "read-only".
    done = subprocess.run(["sh", "-eu", str(script), "no-such-package"], capture_output=True, text=True, check=True)
    facts = parse_facts(done.stdout)
    assert facts.bits == 64
    assert facts.python >= (3, 11) or facts.python == ()
    assert facts.var_free_mb > 0
    assert facts.missing_packages == ("no-such-package",)


@pytest.mark.parametrize("text", ["", "Welcome!\n", "bits=64\n"])
def test_an_answer_without_sense_is_an_error(text: str) -> None:
    with pytest.raises(HostError, match="facts cannot be read"):
        parse_facts(text)
