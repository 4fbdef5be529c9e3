"""The front door: help without weight, exit codes, one line per error."""

import argparse
import errno
import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from trailcam import main as front_door
from trailcam.commands import classify
from trailcam.help.examples import EXAMPLES
from trailcam_core.errors import BundleError

HEAVY = ("numpy", "cv2", "tensorflow", "keras", "ai_edge_litert", "tqdm")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from trailcam.main import main; status = main(['--help']); "
        f"print([name for name in {HEAVY!r} if name in sys.modules]); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name in [*front_door.COMMANDS, *front_door.ACTIONS]:
        assert f"  {name} " in printed


@pytest.mark.parametrize("name", sorted([*front_door.COMMANDS, *front_door.ACTIONS]))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main([*name.split(), "--help"])
    assert stopped.value.code == 0
    assert f"usage: trailcam {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(front_door.COMMANDS))
def test_explaining_a_command_does_not_import_a_training_framework(name: str) -> None:
    code = (
        "import sys\nfrom trailcam.main import main\n"
        f"try:\n    main([{name!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(any(heavy in sys.modules for heavy in ('tensorflow', 'keras')))"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


@pytest.mark.parametrize("name", [*front_door.COMMANDS, *front_door.ACTIONS])
def test_every_help_has_examples_that_its_parser_accepts(name: str) -> None:
    command = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
    for example in EXAMPLES[name]:
        words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"').split(" > ")[0].removeprefix("sudo "))
        assert words[: 1 + len(name.split())] == ["trailcam", *name.split()]
        parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
        command.add_arguments(parser)
        parser.parse_args(words[1 + len(name.split()) :])


def test_a_misspelt_command_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["clasify"]) == 2
    printed = capsys.readouterr().err
    assert "'clasify'" in printed
    assert 'Did you mean "trailcam classify"?' in printed


def test_a_word_like_no_command_lists_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(["xyz"]) == 2
    printed = capsys.readouterr().err
    assert "Did you mean" not in printed
    assert all(name in printed for name in front_door.COMMANDS)


@pytest.mark.parametrize("words", [["help", "watch"], ["help", "train", "compare"]])
def test_help_explains_a_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main(words)
    assert stopped.value.code == 0
    assert f"usage: trailcam {' '.join(words[1:])}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["help"], ["help", "--help"]])
def test_help_alone_is_the_overview(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main(words) == 0
    assert capsys.readouterr().out.startswith("usage: trailcam COMMAND")


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_one_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main([option]) == 0
    assert capsys.readouterr().out.startswith("trailcam ")


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert front_door.main([]) == 2
    assert "usage: trailcam" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (BundleError("x.bundle: broken. Copy it again."), 1, "x.bundle: broken. Copy it again."),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/run"), 1, "/data/run: the disk is full"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "/data/run"), 1, "read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 1, "/root/x: Permission denied"),
        (ModuleNotFoundError("No module named 'keras'", name="keras"), 1, "[train,export]"),
        (MemoryError(), 1, "not enough memory. Close other programs"),
        (ImportError("libz.so.3: failed to map segment from shared object"), 1, "not enough memory"),
        (
            ImportError("Some words\nlibGL.so.1: cannot open shared object file: No such file or directory\nmore"),
            1,
            "a package cannot load libGL.so.1 (cannot open shared object file: No such file or directory). Install",
        ),
    ],
)
def test_each_failure_is_one_line_with_its_exit_code(
    error: BaseException, status: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(arguments: object) -> int:
        raise error

    monkeypatch.setattr(classify, "run", fail)
    assert front_door.main(["classify", "x.jpg"]) == status
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.strip().count("\n") == 0


def test_a_package_that_a_command_imports_and_that_does_not_load_is_one_line() -> None:
    code = "import sys; sys.modules['cv2'] = None; from trailcam.main import main; sys.exit(main(['status']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "pip install" in done.stderr


@pytest.mark.parametrize("words", [["watch", "--store", ""], ["events", "--store="], ["status", "--config", ""]])
def test_the_path_of_a_variable_that_is_not_set_is_not_the_working_folder(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        front_door.main(words)
    assert stopped.value.code == 2
    assert "the path is empty" in capsys.readouterr().err


def test_a_bug_is_not_dressed_up_as_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: object) -> int:
        raise ModuleNotFoundError("No module named 'nonsense'", name="nonsense")

    monkeypatch.setattr(classify, "run", fail)
    with pytest.raises(ModuleNotFoundError):
        front_door.main(["classify", "x.jpg"])


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m trailcam demo --json | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_the_readme_names_every_command() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name in [*front_door.COMMANDS, *front_door.ACTIONS]:
        assert f"trailcam {name}" in readme


def test_every_command_module_has_the_two_functions() -> None:
    for name in front_door.COMMANDS:
        module = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
        assert callable(module.add_arguments)
        assert callable(module.run)
