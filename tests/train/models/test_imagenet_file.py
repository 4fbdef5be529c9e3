"""ImageNet weights of Keras from a local server: resumed, checked, and loaded into Xception."""

import fcntl
import hashlib
import io
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from tests import loopback

from trailcam_core.errors import TrainError
from trailcam_train.models.imagenet_file import LOCK_FILE, ImageNetFile
from trailcam_train.recipes import xception
from trailcam_train.recipes.find import build_network, fetch_weights, find_recipe

CONTENT = bytes(range(256)) * 4000


@dataclass
class Host:
    """A web server on loopback: what it has, how much it sends at a time, and the ranges that it was asked for."""

    content: bytes
    sent_bytes: int = 10**9
    knows_ranges: bool = True
    ranges: list[str | None] = field(default_factory=list)


def serving(host: Host) -> AbstractContextManager[str]:
    class Handler(loopback.QuietHandler):
        def answer(self) -> None:
            asked = self.headers.get("Range")
            host.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and host.knows_ranges else 0
            if start >= len(host.content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(host.content) - start))
            self.end_headers()
            self.wfile.write(host.content[start : start + host.sent_bytes])

    return loopback.serving(Handler)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def published(url: str, content: bytes = CONTENT) -> ImageNetFile:
    return ImageNetFile("some_weights.h5", url, len(content), hashlib.md5(content).hexdigest())


def test_a_file_is_fetched_once_and_kept_where_keras_looks_for_it(tmp_path: Path) -> None:
    host = Host(CONTENT)
    with serving(host) as url:
        path = published(url).fetch()
        published(url).fetch()

    assert path == tmp_path / ".keras" / "models" / "some_weights.h5"
    assert path.read_bytes() == CONTENT
    assert len(host.ranges) == 1


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_cut_download_is_kept_and_the_next_goes_on_from_there(knows_ranges: bool) -> None:
    host = Host(CONTENT, sent_bytes=300_000, knows_ranges=knows_ranges)
    with serving(host) as url:
        with pytest.raises(TrainError, match=r"ended 724,000 bytes before.* 300,000 bytes are kept; the next try"):
            published(url).fetch()
        host.sent_bytes = 10**9
        path = published(url).fetch()

    assert host.ranges == [None, "bytes=300000-"]
    assert path.read_bytes() == CONTENT
    assert not list(path.parent.glob("*.part"))


def test_a_beginning_that_is_longer_than_the_file_is_dropped() -> None:
    with serving(Host(CONTENT)) as url:
        part = published(url).cache_path.with_name("some_weights.h5.part")
        part.parent.mkdir(parents=True)
        part.write_bytes(CONTENT * 2)
        assert published(url).fetch().read_bytes() == CONTENT


def test_another_digest_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    with serving(Host(CONTENT)) as url, pytest.raises(TrainError, match="expected 8d777f385d3dfec8815d20f7496026dc"):
        published(url, b"data").fetch()

    assert not list(tmp_path.rglob("some_weights*"))


def test_a_half_file_in_the_cache_is_fetched_again() -> None:
    host = Host(CONTENT)
    with serving(host) as url:
        file = published(url)
        file.cache_path.parent.mkdir(parents=True)
        file.cache_path.write_bytes(CONTENT[:1000])
        assert file.fetch().read_bytes() == CONTENT
    assert host.ranges == [None]


def test_without_a_digest_the_page_of_a_login_is_no_weights_file(tmp_path: Path) -> None:
    host = Host(b"<html>Please log in</html>")
    with serving(host) as url:
        file = ImageNetFile("some_weights.h5", url, 26)
        with pytest.raises(TrainError, match=r"some_weights\.h5: it is no HDF5 file\. .*--weights PATH"):
            file.fetch()
        assert not list(tmp_path.rglob("some_weights*"))
        host.content = b"\x89HDF\r\n\x1a\n and weights"
        assert file.fetch().read_bytes() == host.content


def test_a_second_process_waits_for_the_first_and_fetches_nothing(tmp_path: Path) -> None:
    host = Host(CONTENT)
    with serving(host) as url:
        file = published(url)
        file.cache_path.parent.mkdir(parents=True)
        held = os.open(file.cache_path.with_name(LOCK_FILE), os.O_WRONLY | os.O_CREAT)
        fcntl.flock(held, fcntl.LOCK_EX)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(file.fetch)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            file.cache_path.write_bytes(CONTENT)
            os.close(held)
            assert waiting.result(timeout=10) == file.cache_path
    assert host.ranges == []
    assert [path.name for path in tmp_path.rglob("some_weights*")] == ["some_weights.h5"]


def test_no_network_names_the_file_and_where_to_put_it(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(TrainError, match=f"{url}/some_weights.h5") as caught:
            published(url).fetch()

    assert str(tmp_path / ".keras" / "models" / "some_weights.h5") in str(caught.value)


def published_layout(backbone: keras.Model) -> bytes:
    """Return a file of the layout of the published ones: a group and ``weight_names`` for each layer, as Keras 2 wrote.

    Source: ``save_weights_to_hdf5_group`` of Keras 2.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        layers = [layer for layer in backbone.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, values in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=values)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.applications.Xception(input_shape=(299, 299, 3), include_top=False, weights=None, name="xception")


def test_xception_begins_with_the_fetched_weights(monkeypatch: pytest.MonkeyPatch, backbone: keras.Model) -> None:
    """At 299 px, with a file of the published layout and random weights in it, and a connection that is cut once."""
    content = published_layout(backbone)
    recipe = find_recipe("xception")
    host = Host(content, sent_bytes=20_000_000)
    with serving(host) as url:
        file = ImageNetFile(xception.WEIGHTS.file, url, len(content), hashlib.md5(content).hexdigest())
        monkeypatch.setattr(xception, "WEIGHTS", file)
        with pytest.raises(TrainError, match=r"20,000,000 bytes are kept"):
            fetch_weights(recipe)
        host.sent_bytes = 10**9
        path = fetch_weights(recipe)
        model = build_network(recipe, 3, "float32")

    assert host.ranges == [None, "bytes=20000000-"]
    assert path is not None
    assert path.name == "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert model.input_shape == (None, 299, 299, 3)
    for name in ("block1_conv1", "block14_sepconv2", "block14_sepconv2_bn"):
        expected = backbone.get_layer(name).get_weights()
        for found, wanted in zip(model.get_layer(name).get_weights(), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_xception_refuses_a_file_of_another_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(Host(CONTENT)) as url:
        monkeypatch.setattr(xception, "WEIGHTS", replace(xception.WEIGHTS, folder_url=url))
        with pytest.raises(TrainError, match="expected b0042744bf5b25fce3cb969f33bebb97"):
            fetch_weights(find_recipe("xception"))

    assert [path.name for path in (tmp_path / ".keras" / "models").iterdir()] == [LOCK_FILE]
