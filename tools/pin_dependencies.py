"""Write the pinned dependencies of a camera: versions and digests for each Python, as "trailcam deploy" installs them.

    python tools/pin_dependencies.py

Run it after a change of ``dependencies`` in pyproject.toml, and now and then for newer versions; read the difference
before it is committed. pip resolves for each machine; both must come to the same versions. apt's numpy is kept on a
device with Picamera2, so it is the one that everything else is resolved with.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "deploy" / "trailcam_deploy" / "data" / "pins"
MACHINES = ("aarch64", "x86_64")
OLDEST_GLIBC = (17, 24, 27, 28)  # Debian 12 has 2.36
# Raspberry Pi OS 12 has Python 3.11 with numpy 1.24.2, version 13 has Python 3.13 with numpy 2.2.4; Ubuntu 24.04 has
# Python 3.12 with numpy 1.26.4.
SYSTEMS = {
    "3.11-numpy1": ("3.11", "numpy==1.24.2"),
    "3.12-numpy1": ("3.12", "numpy==1.26.4"),
    "3.11": ("3.11", "numpy==2.2.4"),
    "3.12": ("3.12", "numpy==2.2.4"),
    "3.13": ("3.13", "numpy==2.2.4"),
}


def main() -> int:
    """Resolve and write all files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    PLACE.mkdir(exist_ok=True)
    for name, (python, numpy) in SYSTEMS.items():
        needed = [*project["dependencies"], *project["optional-dependencies"]["opencv"], numpy]
        found = [_resolve(needed, python, machine) for machine in MACHINES]
        versions = [{project: version for project, (version, _) in each.items()} for each in found]
        if versions[0] != versions[1]:
            print(f"{name}: other versions for {' and '.join(MACHINES)}: {versions}", file=sys.stderr)
            return 1
        lines = []
        for distribution, version in sorted(versions[0].items()):
            digests = sorted({each[distribution][1] for each in found})
            lines.append(" ".join([f"{distribution}=={version}", *(f"--hash=sha256:{digest}" for digest in digests)]))
        (PLACE / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{name}: {len(lines)} distributions")
    return 0


def _resolve(requirements: list[str], python: str, machine: str) -> dict[str, tuple[str, str]]:
    """Return version and digest of each distribution, by its name."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in OLDEST_GLIBC]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary=:all:", f"--target={folder}", f"--report={report}", f"--python-version={python}"]
        subprocess.run([*command, *platforms, f"--platform=manylinux2014_{machine}", *requirements], check=True)
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        each["metadata"]["name"].lower().replace("_", "-"): (
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in installed
    }


if __name__ == "__main__":
    sys.exit(main())
