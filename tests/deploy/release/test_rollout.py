"""Rings, stops and deltas, from the operator's command to what a camera has fetched."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tuf.api.exceptions import DownloadError

from trailcam_core.bundle.folder import Bundle, describe_file, open_bundle, write_bundle
from trailcam_core.classifier import BUILTIN_BUNDLE
from trailcam_core.errors import BundleError, DeployError, UpdateError
from trailcam_core.release.rollout import place_in_queue
from trailcam_core.spec import ModelEntry
from trailcam_deploy.release import repository as repository_module
from trailcam_deploy.release.deltas import make_deltas
from trailcam_deploy.release.drift_verdict import Approval
from trailcam_edge.update.install.updater import Updater
from trailcam_edge.update.settings import UpdateSettings
from trailcam_project.rollout_simulation.head import with_another_head

Bundles = Callable[[str], Bundle]
PASSED = Approval("pass")


def device(inside: bool, version: str, percent: int) -> str:
    """Return an id that is in the ring of a release, or is not."""
    names = (f"cam-{number}" for number in range(1000))
    return next(name for name in names if (place_in_queue(name, "tiny", version) < percent) == inside)


def commit(camera: Any, path: Path) -> None:
    """Let a camera run a bundle, as after its self-test and its watch."""
    updater = Updater(UpdateSettings(camera.folder), lambda bundle: None, builtin=camera.builtin)
    updater.install(path)
    updater.start()
    updater.observe(1e6, 1e6)


@pytest.fixture(scope="session")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The built-in bundle with another head, as version 2.0.0 of ``tiny``."""
    folder = tmp_path_factory.mktemp("retrained")
    builtin = open_bundle(BUILTIN_BUNDLE)
    model = folder / "model.tflite"
    model.write_bytes(with_another_head(builtin.model_path.read_bytes(), seed=2))
    entry = ModelEntry(**vars(builtin.manifest.model) | vars(describe_file(model, "model.tflite")))
    manifest = replace(builtin.manifest, name="tiny", version="2.0.0", model=entry)
    return write_bundle(folder / "2.0.0.bundle", manifest, model, (BUILTIN_BUNDLE / "golden.npz").read_bytes())


def test_only_the_ring_takes_a_release_and_the_others_when_it_is_widened(
    fleet: Any, camera: Any, bundles: Bundles
) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED, percent=10)
    camera.named(device(False, "2.0.0", 10))
    choice, path = camera.ask()
    assert choice.version == "1.0.0"
    assert choice.sentence() == "tiny 2.0.0: is for 10 % of the cameras, not for this one yet"
    commit(camera, path)
    fleet.repository.widen("tiny", 100)
    assert camera.fetch()[0].version == "2.0.0"


def test_the_ring_itself_takes_it_at_once(fleet: Any, camera: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED, percent=10)
    assert camera.named(device(True, "2.0.0", 10)).fetch()[0].version == "2.0.0"


def test_a_stopped_release_is_kept_by_those_that_have_it_and_taken_by_nobody_else(
    fleet: Any, camera: Any, bundles: Bundles
) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    commit(camera, camera.fetch()[1])
    fleet.repository.stop("tiny")
    sent = camera.host.sent
    choice, path = camera.fetch()
    assert (choice.version, path.parent.name) == ("2.0.0", "slots")
    assert camera.host.sent - sent < 10_000
    other = replace(camera, folder=camera.folder.with_name("other"))
    assert other.fetch()[0].version == "1.0.0"


def test_an_expired_release_is_given_back(fleet: Any, camera: Any, bundles: Bundles) -> None:
    commit(camera, camera.fetch()[1])
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED)
    commit(camera, camera.fetch()[1])
    fleet.repository.expire("tiny", "2.0.0")
    asked = len(camera.host.asked)
    choice, path = camera.fetch()
    assert choice.version == "1.0.0"
    commit(camera, path)
    assert open_bundle(camera.folder / "current").manifest.version == "1.0.0"
    assert not any("model" in path or ".zst" in path for path in camera.host.asked[asked:])  # it was the previous one


def test_where_no_release_is_for_a_camera_nothing_is_fetched(fleet: Any, camera: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("1.0.0"), "tiny", PASSED, percent=1)
    camera.named(device(False, "1.0.0", 1))
    choice, path = camera.ask()
    assert (choice.version, path) == (None, None)
    assert not any("1.0.0" in asked for asked in camera.host.asked)


def test_a_ring_that_was_widened_by_the_host_is_refused(fleet: Any, camera: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", PASSED, percent=1)
    camera.named(device(False, "2.0.0", 1))
    for path in (fleet.repository.folder / "targets" / "tiny").glob("*.release.json"):
        path.write_bytes(path.read_bytes().replace(b'"percent":1,', b'"percent":9,'))
    with pytest.raises(UpdateError, match="verification failed"):
        camera.ask()


def test_an_old_index_with_a_wider_ring_is_refused(fleet: Any, camera: Any, bundles: Bundles) -> None:
    wide = fleet.snapshot("wide")
    fleet.repository.stop("tiny")
    camera.ask()
    camera.host.folder = wide
    with pytest.raises(UpdateError, match="verification failed"):
        camera.ask()


def test_what_cannot_be_changed_is_said(fleet: Any, bundles: Bundles) -> None:
    repository = fleet.repository
    repository.add(bundles("2.0.0"), "tiny", PASSED, percent=20)
    with pytest.raises(DeployError, match="20 % of the cameras take it, 10 % is not more"):
        repository.widen("tiny", 10)
    with pytest.raises(BundleError, match="percent is 101"):
        repository.widen("tiny", 101)
    with pytest.raises(BundleError, match="percent is 0"):
        repository.add(bundles("3.0.0"), "tiny", PASSED, percent=0)
    with pytest.raises(DeployError, match="nothing was released in this channel"):
        repository.stop("desert")
    with pytest.raises(DeployError, match=r"tiny 7\.0\.0: was not released here"):
        repository.stop("tiny", "7.0.0")
    assert [offer.stopped for offer in repository.stop("tiny", "1.0.0").offers] == [False, True]
    repository.stop("tiny")
    with pytest.raises(DeployError, match="was stopped before"):
        repository.stop("tiny")
    with pytest.raises(DeployError, match=r"was stopped\. Add a better version"):
        repository.widen("tiny", 100)
    assert repository.add(bundles("2.0.0"), "tiny", PASSED, percent=30).offers[0].stopped is False


def test_old_releases_leave_the_list_but_never_the_one_for_all(
    fleet: Any, bundles: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_module, "MAX_OFFERS", 3)
    for number in range(2, 7):
        index = fleet.repository.add(bundles(f"{number}.0.0"), "tiny", PASSED, percent=10)
    assert [offer.version for offer in index.offers] == ["6.0.0", "5.0.0", "1.0.0"]
    listed = fleet.repository._metadata.targets().targets
    assert {path.split("/")[1] for path in listed} == {"release.json", "deltas", "6.0.0", "5.0.0", "1.0.0"}


def test_a_new_head_is_fetched_as_a_delta_of_the_built_in_bundle(fleet: Any, camera: Any, retrained: Bundle) -> None:
    fleet.repository.add(retrained, "tiny", PASSED)
    camera.builtin = BUILTIN_BUNDLE
    _, path = camera.fetch()
    assert all((path / item.name).read_bytes() == item.read_bytes() for item in retrained.path.iterdir())
    assert camera.host.sent < 0.15 * retrained.manifest.model.size_bytes
    assert camera.reports == []
    assert not list(camera.folder.rglob("*.delta"))


def test_the_dry_run_says_beforehand_what_is_fetched(fleet: Any, camera: Any, retrained: Bundle) -> None:
    plan = fleet.repository.plan(retrained, "tiny")
    (cost,) = {cost.fetched_bytes for cost in plan.costs if "built-in" in cost.who}
    fleet.repository.add(retrained, "tiny", PASSED)
    camera.builtin = BUILTIN_BUNDLE
    camera.fetch()
    assert camera.host.asked[-1].endswith(".zst")
    assert (fleet.repository.folder / camera.host.asked[-1]).stat().st_size == cost


@pytest.mark.parametrize("lie", ["tampered", "gone", "endless", "short"])
def test_a_delta_that_is_no_good_is_reported_and_the_file_fetched_whole(
    fleet: Any, camera: Any, retrained: Bundle, lie: str
) -> None:
    fleet.repository.add(retrained, "tiny", PASSED)
    camera.builtin = BUILTIN_BUNDLE
    deltas = fleet.repository.folder / "targets" / "tiny" / "deltas"
    for path in deltas.iterdir():
        content = path.read_bytes()
        if lie == "gone":
            path.unlink()
        else:
            path.write_bytes(content[:-5] if lie == "short" else content[:50] + b"x" + content[51:])
    if lie == "endless":
        chunk = bytes(65_536)
        camera.host.instead[".zst"] = lambda: iter(lambda: chunk, None)
    _, path = camera.fetch()
    assert (path / "model.tflite").read_bytes() == retrained.model_path.read_bytes()
    assert [text.split(", because")[0] for text in camera.reports] == ["model.tflite: is fetched whole"]
    assert camera.host.sent < retrained.manifest.model.size_bytes + 500_000


def test_after_a_link_was_lost_the_delta_is_asked_for_again(fleet: Any, camera: Any, retrained: Bundle) -> None:
    def lost() -> Iterator[bytes]:
        yield bytes(100)
        raise DownloadError("the link is down")

    fleet.repository.add(retrained, "tiny", PASSED)
    camera.builtin = BUILTIN_BUNDLE
    camera.host.instead |= {".zst": lost, "model": lost}
    with pytest.raises(UpdateError, match=r"the link is down.*Try again later"):
        camera.fetch()
    camera.host.instead.clear()
    camera.fetch()
    assert camera.host.sent < 0.05 * retrained.manifest.model.size_bytes


def test_a_signed_delta_of_a_wrong_base_is_reported_and_the_file_fetched_whole(
    fleet: Any, camera: Any, retrained: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: Any) -> Any:
        return [replace(delta, content=delta.content[:-200]) for delta in make_deltas(*arguments)]

    monkeypatch.setattr(repository_module, "make_deltas", wrong)
    fleet.repository.add(retrained, "tiny", PASSED)
    camera.builtin = BUILTIN_BUNDLE
    _, path = camera.fetch()
    assert (path / "model.tflite").read_bytes() == retrained.model_path.read_bytes()
    assert "ends too early" in camera.reports[0]


def test_a_base_that_rots_is_no_base(fleet: Any, camera: Any, retrained: Bundle, bundles: Bundles) -> None:
    commit(camera, camera.fetch()[1])
    slot = (camera.folder / "current").resolve()
    (slot / "model.tflite").write_bytes(b"rot")
    fleet.repository.add(retrained, "tiny", PASSED)
    _, path = camera.fetch()
    assert (path / "model.tflite").read_bytes() == retrained.model_path.read_bytes()
    assert camera.host.sent > 0.5 * retrained.manifest.model.size_bytes


def test_status_says_what_is_released_to_whom(fleet: Any, bundles: Bundles) -> None:
    fleet.repository.add(bundles("2.0.0"), "tiny", Approval("fail", "only owls here"), percent=10)
    fleet.repository.add(bundles("1.0.0"), "desert", PASSED)
    status = fleet.repository.status()
    rows = [(row.channel, row.offer.version, row.offer.percent, row.drift_gate, row.i_know) for row in status.releases]
    assert rows == [
        ("desert", "1.0.0", 100, "pass", None),
        ("tiny", "2.0.0", 10, "fail", "only owls here"),
        ("tiny", "1.0.0", 100, "pass", None),
    ]
    days = {role: (moment - fleet.repository.now).days for role, moment in status.expiry.items()}
    assert days == {"root": 730, "targets": 365, "snapshot": 90, "timestamp": 30}
