"""Which package brings ``cv2``: none, one, or two that break each other."""

import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

import trailcam
from trailcam.main import main
from trailcam_core.errors.install_command import install_command
from trailcam_core.images import opencv_packages
from trailcam_core.images.opencv_packages import explain_conflict, explain_missing, owners_of_cv2

COMMAND = install_command("opencv")


def _install(folder: Path, *names: str) -> list[Distribution]:
    for name in names:
        place = folder / f"{name.replace('-', '_')}-4.12.0.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 4.12.0\n")
    return list(distributions(path=[str(folder)]))


@pytest.mark.parametrize("names", [("numpy",), ("opencv-python",), ("opencv_python_headless", "numpy")])
def test_one_opencv_of_any_kind_is_well(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert explain_conflict(owners_of_cv2(_install(tmp_path, *names))) is None


@pytest.mark.parametrize("other", ["opencv-python", "opencv-contrib-python", "opencv_contrib_python_headless"])
def test_two_opencvs_in_one_place_are_named_with_the_commands_that_leave_one(tmp_path: Path, other: str) -> None:
    conflict = explain_conflict(owners_of_cv2(_install(tmp_path, "opencv-python-headless", other)))
    assert conflict is not None
    other = other.replace("_", "-")
    kept = "opencv-python-headless" if other == "opencv-contrib-python-headless" else other
    assert conflict.endswith(f"then pip install {kept}.")
    assert "pip uninstall -y" in conflict
    assert other in conflict


def test_an_opencv_of_the_system_below_one_of_the_environment_is_no_conflict(tmp_path: Path) -> None:
    found = _install(tmp_path / "a", "opencv-python") + _install(tmp_path / "b", "opencv-python-headless")
    assert len(owners_of_cv2(found)) == 2
    assert explain_conflict(owners_of_cv2(found)) is None


def test_files_that_another_package_took_along_are_said(tmp_path: Path) -> None:
    assert "--force-reinstall --no-deps opencv-python." in explain_missing(
        owners_of_cv2(_install(tmp_path, "opencv-python"))
    )
    assert explain_missing({}).endswith(COMMAND)


def test_the_command_line_names_the_cure_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = _install(tmp_path, "opencv-python", "opencv-python-headless")
    monkeypatch.setattr(opencv_packages, "distributions", lambda: found)
    assert main(["classify", str(tmp_path / "no-such-file.jpg")]) == 1
    assert "overwrite each other" in capsys.readouterr().err
    assert main(["events", "--store", str(tmp_path)]) == 1  # it reads no pictures
    assert "overwrite each other" not in capsys.readouterr().err


def test_without_opencv_interface_and_command_line_name_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2")

    monkeypatch.setattr(opencv_packages, "distributions", list)
    with monkeypatch.context() as patched:
        patched.setattr(
            trailcam.importlib, "import_module", lambda name: opencv_packages if "opencv" in name else refuse(name)
        )
        with pytest.raises(ModuleNotFoundError, match=re.escape(COMMAND)):
            trailcam.__getattr__("read_image")
    monkeypatch.setattr("trailcam.commands.classify.run", lambda _: refuse("cv2"))
    assert main(["classify", "a.jpg"]) == 1
    assert COMMAND in capsys.readouterr().err
