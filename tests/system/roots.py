"""Root file systems to rehearse in: built once from a recipe, kept under a key of that recipe, never written to again.

A rehearsal runs in an overlay over the kept root, in a mount and process namespace of its own, so nothing has to be
cleaned up by hand and Ctrl-C leaves nothing behind.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
VENV = "/opt/trailcam"
# Names backports beside whatever mirror mmdebstrap chose for the suite; "$1" is the root.
_ADD_BACKPORTS = (
    'sed "s/ {suite} main$/ {suite}-backports main/;t;d" "$1/etc/apt/sources.list" '
    '> "$1/etc/apt/sources.list.d/backports.list"'
)
_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "chroot": "coreutils",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "qemu-aarch64-static": "qemu-user-static",
    "arch-test": "arch-test",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "tc": "iproute2",
}
_NEVER_STARTED = "#!/bin/sh\nexit 101\n"  # policy-rc.d: no service starts while packages are installed
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_AARCH64 = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


class CannotRehearseError(Exception):
    """This machine lacks something; the message says what and how to get it."""


@dataclass(frozen=True)
class Recipe:
    """What is in a root.

    ``packages`` are Debian's, ``newer`` those from the backports of ``suite``. ``wheels`` are installed in an
    environment at ``VENV``, which sees Debian's own Python packages if ``sees_apt``. ``setup`` is a shell script that
    is run last.
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    architecture: str = "amd64"
    newer: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    sees_apt: bool = False
    setup: str = "true"

    @property
    def key(self) -> str:
        """Changes when anything in the recipe does."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


def base_wheels() -> tuple[str, ...]:
    """Return what a camera needs: the base install of Trailcam and an OpenCV, as its own metadata states."""
    with open(CHECKOUT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["opencv"])


def require(*programs: str) -> None:
    """Check that this machine can rehearse.

    Raises:
        CannotRehearseError: somebody other than root asks, or programs are missing.
    """
    if os.geteuid() != 0:
        raise CannotRehearseError(
            "a rehearsal mounts file systems and makes namespaces: run it as root (sudo -E make ...)."
        )
    lacking = [program for program in ("setpriv", "unshare", "chroot", *programs) if shutil.which(program) is None]
    if lacking:
        packages = " ".join(sorted({_PROGRAMS[program] for program in lacking}))
        raise CannotRehearseError(
            f"not installed: {', '.join(lacking)}. On Debian or Ubuntu: "
            f'"apt-get install {packages} debian-archive-keyring".'
        )


def cached(recipe: Recipe) -> Path:
    """Return the root of a recipe, building it first if there is none.

    Raises:
        CannotRehearseError: it cannot be built; its log is named.
    """
    cache = Path(os.environ.get("TRAILCAM_RIG_CACHE", Path.home() / ".cache/trailcam-rig"))
    root = cache / f"{recipe.name}-{recipe.key}"
    if root.exists():
        return root
    require("mmdebstrap")
    cache.mkdir(parents=True, exist_ok=True)
    log = cache / f"{root.name}.log"
    print(f"building {root} (a few minutes; its log is {log}) ...", flush=True)
    started_s = time.monotonic()
    part = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=cache))
    try:
        with open(log, "w") as output:
            _build(recipe, part, output.fileno())
        part.chmod(0o755)
        part.rename(root)
    except subprocess.CalledProcessError as error:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        raise CannotRehearseError(f"{recipe.name}: {error}. The end of {log}:\n{tail}") from error
    finally:
        if part.exists():
            shutil.rmtree(part)
    size_mb = int(subprocess.check_output(["du", "-sm", root]).split()[0])
    print(f"built in {time.monotonic() - started_s:.0f} s, {size_mb} MB", flush=True)
    return root


def entered(
    root: Path, command: Sequence[str], scratch: Path | None, binds: Sequence[tuple[Path, str]] = ()
) -> list[str]:
    """Return the command line that runs ``command`` in a root; what it writes goes to ``scratch``, or to the root."""
    joined = ",".join(f"{source}:{target}" for source, target in binds)
    # Whoever ends the rehearsal, even by SIGKILL, ends the command in the root as well.
    namespaces = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*namespaces, "sh", str(HERE / "enter.sh"), str(root), str(scratch or "-"), joined, *command]


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for what a rehearsal writes; beside the roots, because an overlay cannot lie on an overlay."""
    cache = Path(os.environ.get("TRAILCAM_RIG_CACHE", Path.home() / ".cache/trailcam-rig"))
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout into a folder."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(CHECKOUT)]
    subprocess.run(pip, check=True)
    return next(folder.glob("trailcam-*.whl"))


def cached_wheels(recipe: Recipe) -> Path:
    """Return a folder with the wheels of the base install for the Python of a root, fetched once.

    Raises:
        CannotRehearseError: they cannot be fetched.
    """
    wheels = base_wheels()
    key = hashlib.sha256(repr((recipe.key, wheels)).encode()).hexdigest()[:12]
    cache = cached(recipe).parent
    place = cache / f"wheels-{key}"
    if place.exists():
        return place
    with scratch_folder() as folder:
        part = folder / "wheels"
        part.mkdir()
        fetch = f"python3 -m venv /tmp/fetch && /tmp/fetch/bin/pip download --quiet --dest /wheels {shlex.join(wheels)}"
        binds = [*network_binds(), (part, "/wheels")]
        done = subprocess.run(
            entered(cached(recipe), ["sh", "-euxc", fetch], folder / "disk", binds),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise CannotRehearseError(f"the wheels cannot be fetched: {done.stderr[-500:]}")
        part.rename(place)
    return place


def network_binds() -> list[tuple[Path, str]]:
    """What pip in a root needs of this machine: name servers, certificates, and pip's own configuration."""
    places = ["/etc/resolv.conf", "/etc/ssl/certs", "/etc/pip.conf"]
    return [(Path(place), place) for place in places if Path(place).exists()]


def _build(recipe: Recipe, root: Path, log: int) -> None:
    if recipe.architecture == "arm64":
        run_arm64_programs()
    hooks = [f"--setup-hook={_ADD_BACKPORTS.format(suite=recipe.suite)}"] if recipe.newer else []
    _logged(
        [
            *("mmdebstrap", "--mode=root", "--variant=minbase", f"--architectures={recipe.architecture}"),
            f"--include={','.join(recipe.packages)}",
            *("--skip=cleanup/apt/lists", *hooks, recipe.suite, str(root)),
        ],
        log,
    )
    (root / "usr/sbin/policy-rc.d").write_text(_NEVER_STARTED)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    steps = []
    if recipe.newer:
        newer = " ".join(recipe.newer)
        steps.append(f"apt-get install -y --no-install-recommends -t {recipe.suite}-backports {newer}")
    steps.append("apt-get clean && rm -rf /var/lib/apt/lists/*")
    if recipe.wheels:
        sight = "--system-site-packages" if recipe.sees_apt else ""
        steps += [
            f"python3 -m venv {sight} {VENV}",
            f"{VENV}/bin/pip install --no-cache-dir {shlex.join(recipe.wheels)}",
        ]
    steps.append(recipe.setup)
    binds = network_binds()
    for step in steps:
        _logged(entered(root, ["sh", "-euxc", step], None, binds), log)
    (root / "usr/sbin/policy-rc.d").unlink()


def run_arm64_programs() -> None:
    """Let the kernel start arm64 programs under qemu-user, which stays so until the machine starts again."""
    if not _BINFMT.joinpath("register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)], check=True)
    if not any(_BINFMT.joinpath(name).exists() for name in ("qemu-aarch64", "aarch64")):
        if not _AARCH64.exists():
            raise CannotRehearseError(f'{_AARCH64} is missing: "apt-get install qemu-user-static".')
        rule = next(line for line in _AARCH64.read_text().splitlines() if line and not line.startswith("#"))
        _BINFMT.joinpath("register").write_text(rule)
    if subprocess.run(["arch-test", "arm64"], capture_output=True).returncode != 0:
        raise CannotRehearseError("this kernel does not start arm64 programs although qemu-user is registered.")


def _logged(command: Sequence[str], log: int) -> None:
    subprocess.run(["nice", *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
