"""What the device loads: looked up in a fresh process, because this one has loaded far more."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

_NEVER = ("tensorflow", "keras", "jax", "torch", "sklearn", "scipy", "PIL", "matplotlib", "pandas")


def _loaded(code: str) -> set[str]:
    """Run ``code`` in a fresh process and return the top-level modules that it loaded."""
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_the_device_code_loads_no_training_framework() -> None:
    loaded = _loaded(
        "import importlib, pkgutil, trailcam_edge\n"
        "for module in pkgutil.walk_packages(trailcam_edge.__path__, 'trailcam_edge.'):\n"
        "    importlib.import_module(module.name)\n"
        "from trailcam_core.inference.runtimes import load_runtime\n"
        "load_runtime()"
    )
    assert {"trailcam_edge", "numpy", "cv2", "ai_edge_litert"} <= loaded
    assert loaded.isdisjoint({*_NEVER, "paho"})
    assert loaded.isdisjoint(
        {"trailcam", "trailcam_train", "trailcam_export", "trailcam_benchmarks", "trailcam_deploy", "trailcam_archive"}
    )


def test_what_the_front_door_needs_for_its_errors_loads_nothing_heavy() -> None:
    loaded = _loaded("import trailcam_core.errors, trailcam_core.jobs.progress, trailcam_core.bundle.manifest")
    assert loaded.isdisjoint({"numpy", "cv2", "ai_edge_litert", *_NEVER})


def test_every_public_name_is_there_when_it_is_asked_for() -> None:
    loaded = _loaded(
        "import trailcam\n"
        "assert 'numpy' not in sys.modules\n"
        "assert set(trailcam.__all__) <= set(dir(trailcam))\n"
        "assert all(getattr(trailcam, name) is not None for name in trailcam.__all__)\n"
        "from trailcam import *\n"
        "assert Classifier.open and read_image"
    )
    assert "cv2" in loaded


def test_an_unknown_name_is_an_attribute_error() -> None:
    import trailcam

    with pytest.raises(AttributeError, match="has no attribute 'Clasifier'"):
        _ = trailcam.Clasifier


def test_the_version_is_the_installed_one() -> None:
    import trailcam

    assert trailcam.__version__ == importlib.metadata.version("trailcam")


def test_listing_events_needs_no_numpy_and_no_opencv() -> None:
    loaded = _loaded("import trailcam.commands.events, trailcam_edge.sinks.webhook, trailcam_edge.telemetry.prometheus")
    assert "sqlite3" in loaded
    assert loaded.isdisjoint({"numpy", "cv2", "ai_edge_litert", "paho", *_NEVER})


def test_help_loads_nothing_heavy() -> None:
    loaded = _loaded(
        "from trailcam.main import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])"
    )
    assert "trailcam" in loaded
    assert loaded.isdisjoint({"numpy", "cv2", "ai_edge_litert", *_NEVER})
