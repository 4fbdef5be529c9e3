"""Execute the steps of the container files in a root of their own: an overlay above this machine's Debian.

No container program is needed. What a stage copies from another one is copied between two overlays, as a builder does
it. Needs root, unshare, and a Debian with Python 3.11 or newer and python3-venv.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "packaging" / "container" / "Containerfile"
ADD_ON = ROOT / "packaging" / "home-assistant" / "trailcam" / "Dockerfile"
CLIP = "/opt/trailcam/lib/python3*/site-packages/trailcam_edge/data/demo/walk.mp4"


@dataclass
class Stage:
    """A stage of a build: its root, and what its last lines say about the process."""

    root: Path
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def run(self, command: str, user: str = "root") -> None:
        """Run a shell command in the root; raise if it fails."""
        inside = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user != "root" else []
        environment = {"PATH": "/opt/trailcam/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LANG": "C.UTF-8"}
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        words = ["chroot", str(self.root), *inside, "sh", "-c", command]
        subprocess.run(words, env=environment | kept, check=True)


def lines_of(path: Path) -> list[tuple[str, str]]:
    """Return instructions and their arguments."""
    text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8"))
    rows = [line.split(maxsplit=1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(row[0], row[1]) for row in rows]


def new_stage(folder: Path, name: str) -> Stage:
    """Mount an empty overlay above this machine's root, without what a container lacks."""
    below = folder / name
    for part in ("upper", "work", "root"):
        (below / part).mkdir(parents=True)
    options = f"lowerdir=/,upperdir={below / 'upper'},workdir={below / 'work'}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(below / "root")], check=True)
    stage = Stage(below / "root")
    for shared in ("dev", "proc"):
        subprocess.run(["mount", "--bind", f"/{shared}", str(stage.root / shared)], check=True)
    shutil.rmtree(stage.root / "opt" / "trailcam", ignore_errors=True)
    return stage


def build(path: Path, context: Path, folder: Path) -> Stage:
    """Carry out every instruction of a file; return the last stage."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for instruction, text in lines_of(path):
        print(f"{instruction} {text}", flush=True)
        if instruction == "FROM":
            name = text.split(" AS ")[1] if " AS " in text else f"stage{len(stages)}"
            stage = stages[name] = new_stage(folder, name)
            continue
        if stage is None or instruction in ("ARG", "ENV", "VOLUME", "EXPOSE"):
            continue
        if instruction == "COPY":
            words = shlex.split(text)
            origin = stages[words.pop(0).removeprefix("--from=")].root if words[0].startswith("--from=") else context
            source, target = origin / words[0].lstrip("/"), stage.root / words[1].lstrip("/")
            if source.is_dir():
                ignored = shutil.ignore_patterns(".venv*", ".*_cache", "runs", "exports", "site")
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy2(source, target)
        elif instruction == "RUN":
            stage.run(text)
        elif instruction == "USER":
            stage.user = text
        elif instruction == "ENTRYPOINT":
            stage.entrypoint = json.loads(text)
        elif instruction == "CMD":
            stage.command = json.loads(text)
        else:
            raise ValueError(f"{path}: {instruction} is not known here")
    assert stage is not None
    return stage


def check_container(folder: Path) -> None:
    """Build the container, and let its user classify pictures and watch a clip by a mounted configuration."""
    stage = build(CONTAINER, ROOT, folder)
    config = '[camera]\nsource_file = "/var/lib/trailcam/source"\n[store]\nfolder = "/var/lib/trailcam/visits"\n'
    (stage.root / "etc" / "trailcam").mkdir(exist_ok=True)
    (stage.root / "etc" / "trailcam" / "trailcam.toml").write_text(config)
    stage.run(f"umask 077; ls {CLIP} > /var/lib/trailcam/source", stage.user)
    stage.run("trailcam demo > /tmp/demo.txt; tail -n 12 /tmp/demo.txt", stage.user)
    stage.run(shlex.join([*stage.entrypoint, *stage.command]), stage.user)
    stage.run("trailcam events --store /var/lib/trailcam/visits", stage.user)


def check_add_on(folder: Path) -> None:
    """Build the add-on with a wheel in its folder, and start it with options as Home Assistant writes them."""
    context = folder / "add-on"
    shutil.copytree(ADD_ON.parent, context)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(context)], cwd=ROOT, check=True
    )
    stage = build(context / "Dockerfile", context, folder)
    for name in ("config", "data"):
        (stage.root / name).mkdir()
    stage.run(f'printf \'{{"source": "%s"}}\' {CLIP} > /data/options.json')
    stage.run(shlex.join([*stage.entrypoint, *stage.command]))
    stage.run("trailcam events --store /data/visits; ls -l /config")


def main() -> int:
    """Carry out both in a mount namespace of their own; return the exit code."""
    if os.geteuid() != 0:
        print("container: needs root: sudo make system TEST=container", file=sys.stderr)
        return 4
    if "--inside" not in sys.argv:
        return subprocess.call(["unshare", "--mount", sys.executable, __file__, "--inside"])
    with tempfile.TemporaryDirectory(prefix="trailcam-container-") as made:
        folder = Path(made)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)
        try:
            check_container(folder / "container")
            check_add_on(folder / "home-assistant")
        finally:
            subprocess.run(["umount", "--recursive", "--lazy", str(folder)], check=False)
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
