"""A field device: a root booted by systemd-nspawn in a network namespace of its own, with a cable to this machine."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import roots

HERE_ADDRESS = "10.77.0.1"
DEVICE_ADDRESS = "10.77.0.4"
_NAMESPACE, _CABLE = "trailcam-rig", "tcrig0"
_MASK = 24
_BOOT_S = 60.0


class Device:
    """One boot of the device; ``boot`` makes it.

    What is run in it is run as its root, in all of its namespaces.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._leader = 0

    def wait_for_init(self) -> None:
        """Wait until commands can be run, in the middle of the start."""
        deadline_s = time.monotonic() + _BOOT_S
        while not self._leader and time.monotonic() < deadline_s and self.is_on:
            self._leader = _init_below(self._process.pid)
            time.sleep(0.1)

    def wait_for_systemd(self) -> str:
        """Wait until the start is over; return what systemd says of itself: "running", or "degraded"."""
        deadline_s = time.monotonic() + _BOOT_S
        while time.monotonic() < deadline_s and self.is_on:
            self._leader = _init_below(self._process.pid)
            if self._leader:
                state = self.say("systemctl", "is-system-running")
                if state in ("running", "degraded"):
                    return state
            time.sleep(0.3)
        return "never came up"

    @property
    def is_on(self) -> bool:
        """False once the device is off."""
        return self._process.poll() is None

    def run(self, *command: str, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command in the device."""
        inside = ["nsenter", "--all", "--target", str(self._leader), "--wdns=/", "--", *command]
        return subprocess.run(inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s)

    def say(self, *command: str) -> str:
        """Run a command in the device and return what it printed."""
        return self.run(*command).stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file in the device, keeping its owner and rights if it is there."""
        inside = ["nsenter", "--all", "--target", str(self._leader), "--wdns=/", "--", "tee", path]
        subprocess.run(inside, input=text, text=True, stdout=subprocess.DEVNULL, check=True)

    def power_off(self) -> bool:
        """Shut down in order; return whether it did."""
        self.run("systemctl", "poweroff")
        try:
            return self._process.wait(90) == 0
        except subprocess.TimeoutExpired:
            return False

    def cut_power(self) -> None:
        """Every process of the device is gone at once; what was not synced stays written, unlike on a real one."""
        if self._leader:
            os.kill(self._leader, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


@contextmanager
def cable() -> Iterator[None]:
    """A network namespace with a cable to this machine, without a way to any other."""
    _end_processes(_NAMESPACE)
    _ip("netns", "del", _NAMESPACE, check=False)
    _ip("link", "del", _CABLE, check=False)
    try:
        _ip("netns", "add", _NAMESPACE)
        _ip("link", "add", _CABLE, "type", "veth", "peer", "name", "host0", "netns", _NAMESPACE)
        _ip("addr", "add", f"{HERE_ADDRESS}/24", "dev", _CABLE)
        _ip("link", "set", _CABLE, "up")
        for words in (
            ("addr", "add", f"{DEVICE_ADDRESS}/24", "dev", "host0"),
            ("link", "set", "host0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", _NAMESPACE, *words)
        yield
    finally:
        _ip("link", "del", _CABLE, check=False)
        _ip("netns", "del", _NAMESPACE, check=False)


def plug(connected: bool) -> None:
    """Plug the network cable in, or pull it out."""
    _ip("link", "set", _CABLE, "up" if connected else "down")


@contextmanager
def boot(root: Path | str, scratch: Path, log: Path, namespace: str = _NAMESPACE) -> Iterator[Device]:
    """Switch the device on; what it writes is kept in ``scratch`` from boot to boot. It is off afterwards.

    ``root`` may be several, joined by ":", the uppermost first.
    """
    overlay = f"lowerdir={root},upperdir={scratch}/upper,workdir={scratch}/work"
    for name in ("upper", "work", "merged"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    script = (
        f"mount -t overlay overlay -o {overlay} {scratch}/merged && exec systemd-nspawn --register=no --keep-unit -b "
        f"-D {scratch}/merged -M {namespace} --link-journal=no --network-namespace-path=/run/netns/{namespace}"
    )
    with open(log, "ab") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            start_new_session=True,  # Ctrl-C is ours: the device is switched off below
        )
    device = Device(process)
    try:
        yield device
    finally:
        if device.is_on:
            device.cut_power()


def in_disk(root: Path, scratch: Path, command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command on the disk of a device that is off."""
    entered = roots.entered(root, command, scratch)
    return subprocess.run(entered, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


@contextmanager
def switch(count: int) -> Iterator[list[str]]:
    """A switch with this machine on it and a cable to each of ``count`` namespaces; gives their names.

    Namespace ``number`` (from 0 on) has the address that ``address_of`` says.
    """
    names = [f"{_NAMESPACE}-{number}" for number in range(count)]
    _pull_out(count)
    try:
        _ip("link", "add", _CABLE, "type", "bridge")
        _ip("addr", "add", f"{HERE_ADDRESS}/{_MASK}", "dev", _CABLE)
        _ip("link", "set", _CABLE, "up")
        for number, name in enumerate(names):
            _ip("netns", "add", name)
            _ip("link", "add", f"{_CABLE}-{number}", "type", "veth", "peer", "name", "host0", "netns", name)
            _ip("link", "set", f"{_CABLE}-{number}", "master", _CABLE, "up")
            _ip("-n", name, "addr", "add", f"{address_of(number)}/{_MASK}", "dev", "host0")
            _ip("-n", name, "link", "set", "host0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        _pull_out(count)


def address_of(number: int) -> str:
    """Return the address of a device on the switch."""
    return f"{HERE_ADDRESS.rpartition('.')[0]}.{100 + number}"


def slow_down(number: int, rate: str) -> None:
    """Let only so much through the cable of a device, in both directions, such as "256kbit"."""
    limit = ["root", "tbf", "rate", rate, "burst", "16kb", "latency", "500ms"]
    subprocess.run(["tc", "qdisc", "add", "dev", f"{_CABLE}-{number}", *limit], check=True)
    inside = ["ip", "netns", "exec", f"{_NAMESPACE}-{number}"]
    subprocess.run([*inside, "tc", "qdisc", "add", "dev", "host0", *limit], check=True)


def _pull_out(count: int) -> None:
    for number in range(count):
        _end_processes(f"{_NAMESPACE}-{number}")
        _ip("link", "del", f"{_CABLE}-{number}", check=False)
        _ip("netns", "del", f"{_NAMESPACE}-{number}", check=False)
    _ip("link", "del", _CABLE, check=False)


def _end_processes(namespace: str) -> None:
    """End what a killed rehearsal has left in a network namespace: its device runs on without it."""
    found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
    for pid in found.stdout.split():
        with contextlib.suppress(ProcessLookupError):  # its systemd went before, and took it along
            os.kill(int(pid), signal.SIGKILL)


def _init_below(parent: int) -> int:
    """Return the process id of the device's systemd, 0 while there is none: others come before it."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    words = children.read_text().split() if children.exists() else []
    for word in words:
        name = Path(f"/proc/{word}/comm")
        if name.exists() and name.read_text().strip() == "systemd":
            return int(word)
    return 0


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)
