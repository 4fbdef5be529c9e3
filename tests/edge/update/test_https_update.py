"""``trailcam update`` from an HTTPS host that a laptop could be: the line is cut, and the next attempt goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from device_under_test import Operator
from lying_host import Authority, Behaviour, serve

from trailcam.main import main
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings


def test_an_update_over_a_line_that_is_cut_goes_on_and_is_verified(
    tmp_path: Path,
    write_tiny_bundle: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("cryptography")
    bundle = write_tiny_bundle(tmp_path / "2.bundle", version="2.0.0")
    operator = Operator(tmp_path)
    operator.release(bundle.path)
    for delta in (operator.repository / "targets" / "tiny" / "deltas").iterdir():
        delta.unlink()  # so that the whole file is fetched
    camera = tmp_path / "camera"
    camera.mkdir()
    (camera / "root.json").write_bytes(operator.root)
    (tmp_path / "tls").mkdir()
    authority = Authority(tmp_path / "tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    capsys.readouterr()
    size = bundle.model_path.stat().st_size
    does = Behaviour(folder=operator.repository, cut_name="model.tflite", cuts=[size // 2, 0])
    for port in serve(does, authority.context("127.0.0.1")):
        source = f"https://127.0.0.1:{port}"
        words = ["update", source, "--channel", "tiny", "--folder", str(camera), "--max-latency-ms", "60000"]
        assert main(words) == 1  # after the cut it was tried once more, and nothing came
        told = capsys.readouterr().err
        assert f"{source}: cannot be fetched" in told.splitlines()[-1]
        assert [line for line in told.splitlines()[:-1] if "is fetched whole" not in line] == []
        assert main(words) == 0, capsys.readouterr().err
    assert does.asked[0] == (None, None)
    assert does.asked[1:] == [(f"bytes={size // 2}-", '"1"')] * 2
    updater = Updater(UpdateSettings(camera))
    assert updater.status().candidate is not None
    assert (camera / "current" / "model.tflite").read_bytes() == bundle.model_path.read_bytes()
    assert list((camera / "downloads" / "parts").iterdir()) == []
