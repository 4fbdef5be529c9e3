"""Replay the golden vectors of bundles on the interpreter that is installed here; run in an environment of its own.

    make system TEST=tflite-runtime EXPORT=exports/NAME
    make system TEST=onnxruntime EXPORT=exports/NAME

A bundle passes when it gives the laboratory's answers, or when its manifest says that this runtime cannot run it and
the device says so too. A bundle that is let in and gives other answers is what this is here to find.
"""

import sys
from pathlib import Path

from trailcam_core.bundle.folder import open_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE, Classifier
from trailcam_core.errors import BundleError, DeviceError
from trailcam_core.inference.runtimes import find_runtime

_FORMATS = ("tflite", "onnx")


def replay(path: Path, model_format: str) -> tuple[bool, str]:
    """Return whether the bundle passes, and how."""
    manifest = open_bundle(path).manifest
    runtime = find_runtime(model_format)
    stated = (manifest.model.runtime_min or {}).get(runtime.name, "not stated")
    try:
        classifier = Classifier.open(path, num_threads=2)
    except DeviceError as error:
        return stated is None, f"refused, the manifest says {stated}: {error}"
    except BundleError as error:
        return False, f"does not load, the manifest says {stated}: {error}"
    report = classifier.replay_golden()
    text = f"worst {report.worst:.4f} of {report.tolerance:.4f} allowed"
    return report.passed, text if report.passed else f"{text}: {report.culprit}"


def main(model_format: str, folders: list[str]) -> int:
    """Replay the built-in bundle and those in ``folders``; return 1 if one does not pass."""
    bundles = [BUILTIN_BUNDLE] + [bundle for folder in folders for bundle in sorted(Path(folder).glob("*.bundle"))]
    own = [bundle for bundle in bundles if open_bundle(bundle).manifest.model.format == model_format]
    runtime = find_runtime(model_format)
    print(f"{runtime.name} {runtime.version}, Python {sys.version.split()[0]}, {len(own)} bundles")
    failed = 0
    for bundle in own:
        passed, text = replay(bundle, model_format)
        failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {bundle.name:<26} {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in _FORMATS:
        sys.exit(f"usage: replay_bundles.py {'|'.join(_FORMATS)} [EXPORT...]")
    sys.exit(main(sys.argv[1], sys.argv[2:]))
