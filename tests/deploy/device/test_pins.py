"""Pinned dependencies: all of them, with digests for every machine, for every Python that deploy knows."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from trailcam_core.network.ssh.errors import HostError
from trailcam_deploy.device.facts import Facts
from trailcam_deploy.device.pins import pinned_requirements
from trailcam_deploy.device.provision import DeviceSpec, installed_name, plan_provision
from trailcam_deploy.device.wheels import Software

ROOT = Path(__file__).parents[3]
SPEC = DeviceSpec(Software("trailcam==0.1.0"), (b"root",), "oak", "meadow", source="0")
LINE = re.compile(r"([a-z0-9.-]+)==([0-9.]+)((?: --hash=sha256:[0-9a-f]{64}){1,2})")


def device(python: tuple[int, ...], numpy: tuple[int, ...] = ()) -> Facts:
    return Facts(machine="aarch64", python=python, numpy=numpy)


@pytest.mark.parametrize(
    ("python", "numpy"), [((3, 11), (1, 24)), ((3, 12), (1, 26)), ((3, 11), ()), ((3, 12), ()), ((3, 13), ())]
)
def test_every_dependency_of_the_base_install_is_pinned_within_its_range(
    python: tuple[int, ...], numpy: tuple[int, ...]
) -> None:
    found = {}
    for line in pinned_requirements(device(python, numpy)).splitlines():
        match = LINE.fullmatch(line)
        assert match is not None, line
        found[canonicalize_name(match[1])] = match[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["opencv"]):
        requirement = Requirement(text)
        if requirement.name == "numpy" and numpy:
            assert "numpy" not in found  # apt's is kept
        else:
            assert requirement.specifier.contains(found[canonicalize_name(requirement.name)]), text


def test_what_differs_between_machines_has_the_digests_of_both() -> None:
    lines = pinned_requirements(device((3, 13))).splitlines()
    for name in ("numpy", "opencv-python-headless", "ai-edge-litert"):
        (line,) = [line for line in lines if line.startswith(f"{name}==")]
        assert line.count("--hash=") == 2


def test_a_device_gets_the_pins_unless_it_gets_the_newest_or_wheels(tmp_path: Path) -> None:
    wheel = tmp_path / "numpy-2.2.4-cp313-cp313-manylinux_2_28_aarch64.whl"
    wheel.write_bytes(b"wheel")

    def pins(spec: DeviceSpec) -> list[str]:
        step = next(step for step in plan_provision(device((3, 13)), spec) if step.kind == "install")
        assert step.words[2] == ("/var/cache/trailcam-wheels/pins.txt" if len(step.words) == 4 else "")
        return [upload.path for upload in step.uploads if upload.path.endswith(".txt")]

    assert pins(SPEC) == ["/var/cache/trailcam-wheels/pins.txt"]
    assert pins(replace(SPEC, wheels=(wheel,))) == []
    step = next(step for step in plan_provision(device((3, 13)), replace(SPEC, newest=True)) if step.kind == "install")
    assert (step.words[2], step.uploads) == ("", ())


def test_other_pins_are_another_installation() -> None:
    names = {installed_name(device((3, minor)), SPEC) for minor in (11, 12, 13)}
    names.add(installed_name(device((3, 13)), replace(SPEC, newest=True)))
    assert len(names) == 4


def test_a_python_without_pins_is_refused_with_both_ways_out() -> None:
    with pytest.raises(HostError, match=r"pinned for its Python 3\.14\. --newest .* --wheels DIR"):
        plan_provision(device((3, 14)), SPEC)
    assert plan_provision(device((3, 14)), replace(SPEC, newest=True))
