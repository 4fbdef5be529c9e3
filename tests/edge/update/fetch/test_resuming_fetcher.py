"""Downloads that are cut off, dripped, lied about: a real host on this machine, over HTTP and HTTPS."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from lying_host import CONTENT, NAME, Authority, Behaviour, serve
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError

from trailcam_edge.update.fetch import resuming_fetcher as resume
from trailcam_edge.update.fetch.fetchers import MinimumRateFetcher, PromptFetcher
from trailcam_edge.update.fetch.resuming_fetcher import ResumingFetcher, partial_bytes


@pytest.fixture
def does() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(does: Behaviour) -> Iterator[str]:
    for port in serve(does):
        yield f"http://127.0.0.1:{port}/targets/tiny/1.0.0/{NAME}"


def bring(folder: Path, url: str, attempts: int = 1, length: int = len(CONTENT)) -> bytes:
    fetcher = ResumingFetcher(MinimumRateFetcher(PromptFetcher()), folder, attempts, pause_s=0)
    with fetcher.download_file(url, length) as file:
        return file.read()


@pytest.mark.parametrize("states_length", [True, False])
def test_a_file_that_was_cut_goes_on_where_it_was(
    tmp_path: Path, url: str, does: Behaviour, states_length: bool
) -> None:
    does.cuts, does.states_length = [100_000], states_length
    with pytest.raises(DownloadError):
        bring(tmp_path, url)
    assert (tmp_path / NAME).read_bytes() == CONTENT[:100_000]
    assert bring(tmp_path, url) == CONTENT
    assert does.asked == [(None, None), ("bytes=100000-", '"1"')]
    assert does.answered == [200, 206]
    assert does.sent == len(CONTENT)
    assert list(tmp_path.iterdir()) == []


def test_one_update_tries_again_as_long_as_something_comes(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.cuts = [50_000, 70_000, 1]
    assert bring(tmp_path, url, attempts=5) == CONTENT
    assert does.sent == len(CONTENT)
    does.cuts = [50_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        bring(tmp_path, url, attempts=5)
    assert len(does.cuts) == 2


@pytest.mark.parametrize("kilobytes", [0, 1, 64, 255])
def test_a_link_cut_after_any_number_of_bytes(tmp_path: Path, url: str, does: Behaviour, kilobytes: int) -> None:
    does.cuts = [kilobytes * 1000]
    with pytest.raises(DownloadError):
        bring(tmp_path, url)
    assert bring(tmp_path, url) == CONTENT


def test_a_host_that_does_not_know_ranges_sends_all_of_it(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.cuts, does.ranges = [100_000], False
    with pytest.raises(DownloadError):
        bring(tmp_path, url)
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [200, 200]


def test_a_content_that_changed_in_between_is_fetched_whole(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.content, does.cuts = b"x" * len(CONTENT), [100_000]
    with pytest.raises(DownloadError):
        bring(tmp_path, url)
    does.content, does.etag = CONTENT, '"2"'
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [200, 200]  # If-Range: the host saw that it had changed


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_a_part_of_something_else_is_thrown_away_and_fetched_once_anew(
    tmp_path: Path, url: str, does: Behaviour, etag: str | None
) -> None:
    does.etag = etag
    (tmp_path / NAME).write_bytes(b"x" * 100_000)
    assert bring(tmp_path, url) == CONTENT
    assert does.asked == [("bytes=100000-", None), (None, None)]
    assert list(tmp_path.iterdir()) == []


def test_garbage_of_the_right_length_is_thrown_away(tmp_path: Path, url: str, does: Behaviour) -> None:
    (tmp_path / NAME).write_bytes(b"x" * len(CONTENT))
    assert bring(tmp_path, url) == CONTENT
    assert does.asked == [(None, None)]


def test_a_part_that_is_too_long_is_thrown_away(tmp_path: Path, url: str, does: Behaviour) -> None:
    (tmp_path / NAME).write_bytes(CONTENT + b"x")
    assert bring(tmp_path, url) == CONTENT
    assert does.asked == [(None, None)]


def test_a_part_that_is_whole_is_not_fetched(tmp_path: Path, url: str, does: Behaviour) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    assert bring(tmp_path, url) == CONTENT
    assert does.asked == []


def test_a_range_that_the_host_cannot_satisfy_begins_anew(tmp_path: Path, url: str, does: Behaviour) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:200_000])
    does.content = CONTENT[:150_000]
    with pytest.raises(DownloadError, match=r"ended after 150,000 of 256,000 bytes"):
        bring(tmp_path, url)
    assert does.answered == [416, 200]
    does.content = CONTENT
    assert bring(tmp_path, url) == CONTENT


def test_a_part_that_was_not_asked_for_is_not_taken(tmp_path: Path, url: str, does: Behaviour) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:200_000])
    does.wrong_start = True
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [206, 200]


@pytest.mark.parametrize("status", [400, 403, 501])
def test_a_host_that_refuses_ranges_is_asked_for_all_of_it(
    tmp_path: Path, url: str, does: Behaviour, status: int
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:100_000])
    does.range_status = status
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [status, 200]


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_is_busy_is_left_alone_and_the_part_is_kept(
    tmp_path: Path, url: str, does: Behaviour, status: int
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:100_000])
    does.range_status = status
    with pytest.raises(DownloadHTTPError, match=f"the host answers {status}"):
        bring(tmp_path, url, attempts=5)
    assert (tmp_path / NAME).read_bytes() == CONTENT[:100_000]
    assert does.answered == [status]


def test_a_part_of_a_compressed_file_is_not_taken_for_a_part_of_the_file(
    tmp_path: Path, url: str, does: Behaviour
) -> None:
    (tmp_path / NAME).write_bytes(CONTENT[:300])
    does.encoding = "gzip"
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [206, 200]


def test_what_is_longer_than_was_signed_is_cut_off_and_not_kept(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.content = CONTENT * 20
    with pytest.raises(DownloadLengthMismatchError):
        bring(tmp_path, url)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_lies_is_asked_once(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.content = b"x" * len(CONTENT)
    assert bring(tmp_path, url) == does.content  # python-tuf says no to it: the digest is not the signed one
    assert len(does.asked) == 1


def test_a_file_that_is_not_there_is_not_asked_for_again(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.status = 404
    with pytest.raises(DownloadHTTPError, match="the host answers 404"):
        bring(tmp_path, url, attempts=5)
    assert len(does.asked) == 1


def test_a_slow_drip_is_left_and_taken_up_again(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.drip_s = 0.02
    patient = MinimumRateFetcher(PromptFetcher(), min_bytes_per_s=1_000_000, grace_s=0.1)
    with pytest.raises(SlowRetrievalError), ResumingFetcher(patient, tmp_path).download_file(url, len(CONTENT)):
        pass
    assert 0 < partial_bytes(tmp_path) < len(CONTENT)
    does.drip_s = 0
    assert bring(tmp_path, url) == CONTENT
    assert does.answered == [200, 206]


def test_a_name_without_a_digest_begins_anew_every_time(tmp_path: Path, url: str, does: Behaviour) -> None:
    does.cuts = [1000]
    other = url.replace(NAME, "..%2fmodel.tflite")
    with pytest.raises(DownloadError):
        bring(tmp_path, other)
    assert bring(tmp_path, other) == CONTENT
    assert does.asked == [(None, None)] * 2
    assert list(tmp_path.iterdir()) == []


def test_parts_of_releases_that_were_never_finished_do_not_pile_up(tmp_path: Path, url: str, does: Behaviour) -> None:
    for number in range(6):
        does.cuts = [1000]
        with pytest.raises(DownloadError):
            bring(tmp_path, url.replace(NAME, f"{number:064x}.model.tflite"))
    assert len([item for item in tmp_path.iterdir() if item.suffix == ".tflite"]) == 3


def test_a_full_disk_is_an_error_of_the_disk_and_gives_its_room_back(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(resume.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        bring(tmp_path, url)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    pytest.importorskip("cryptography")
    return Authority(tmp_path_factory.mktemp("authority"))


def https(does: Behaviour, context: ssl.SSLContext) -> Iterator[str]:
    for port in serve(does, context):
        yield f"https://127.0.0.1:{port}/{NAME}"


def test_https_resumes_with_an_authority_that_the_machine_knows(
    tmp_path: Path, does: Behaviour, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    does.cuts = [100_000]
    for url in https(does, authority.context("127.0.0.1")):
        with pytest.raises(DownloadError):
            bring(tmp_path, url)
        assert bring(tmp_path, url) == CONTENT
        assert does.answered == [200, 206]


@pytest.mark.parametrize(
    ("name", "age_days", "known", "words"),
    [
        ("127.0.0.1", 0, False, "no authority known to this machine .* update-ca-certificates"),
        ("meadow.example.org", 0, True, "certificate is for another name"),
        ("127.0.0.1", 60, True, r"certificate has expired: this machine's date is \d{4}-\d\d-\d\d\. Check it"),
        ("127.0.0.1", -60, True, r"certificate is not yet valid: this machine's date is \d{4}-\d\d-\d\d\. Check it"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused_and_the_cure_is_said(
    tmp_path: Path,
    does: Behaviour,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    age_days: float,
    known: bool,
    words: str,
) -> None:
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    for url in https(does, authority.context(name, age_days)):
        with pytest.raises(DownloadError, match=words):
            bring(tmp_path, url)
    assert does.asked == []
