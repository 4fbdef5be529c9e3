"""Downloads that are cut off, dripped, lied about: a real host on this machine, over HTTP and HTTPS."""

import hashlib
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError

from trailcam_edge.update import resume
from trailcam_edge.update.resume import ResumingFetcher, held_bytes
from trailcam_edge.update.sources import PatientFetcher, PromptFetcher

CONTENT = bytes(range(256)) * 1000
NAME = f"{hashlib.sha256(CONTENT).hexdigest()}.model.tflite"


@dataclass
class Behaviour:
    """What the host does; ``cuts`` says after how many bytes each answer ends, None at its end."""

    content: bytes = CONTENT
    cuts: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = '"1"'
    states_length: bool = True
    drip_s: float = 0.0
    status: int | None = None
    wrong_start: bool = False
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    sent: int = 0


class Host(BaseHTTPRequestHandler):
    """Serves one content at every address, as its behaviour says."""

    def __init__(self, behaviour: Behaviour, *words: object) -> None:
        self.behaviour = behaviour
        super().__init__(*words)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        does = self.behaviour
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        does.asked.append((wanted, condition))
        start, status = 0, 200
        if wanted is not None and does.ranges and condition in (None, does.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(does.content) else 416
        status = does.status or status
        body = does.content[start:] if status in (200, 206) else b""
        does.answered.append(status)
        self.send_response(status)
        if status == 206:
            said = start - 1 if does.wrong_start else start
            self.send_header("Content-Range", f"bytes {said}-{len(does.content) - 1}/{len(does.content)}")
        if does.etag is not None:
            self.send_header("ETag", does.etag)
        if does.states_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = does.cuts.pop(0) if does.cuts else None
        body = body if cut is None else body[:cut]
        step = 1000 if does.drip_s else max(1, len(body))
        try:
            for position in range(0, len(body), step):
                self.wfile.write(body[position : position + step])
                does.sent += len(body[position : position + step])
                time.sleep(does.drip_s)
        except OSError:
            pass  # the camera has left
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def serve(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, behaviour))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def does() -> Behaviour:
    return Behaviour()


@pytest.fixture
def url(does: Behaviour) -> Iterator[str]:
    for port in serve(does):
        yield f"http://127.0.0.1:{port}/targets/tiny/1.0.0/{NAME}"


def bring(folder: Path, url: str, attempts: int = 1, length: int = len(CONTENT)) -> bytes:
    fetcher = ResumingFetcher(PatientFetcher(PromptFetcher()), folder, attempts, pause_s=0)
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
    patient = PatientFetcher(PromptFetcher(), least_bytes_per_s=1_000_000, grace_s=0.1)
    with pytest.raises(SlowRetrievalError), ResumingFetcher(patient, tmp_path).download_file(url, len(CONTENT)):
        pass
    assert 0 < held_bytes(tmp_path) < len(CONTENT)
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


class Authority:
    """Signs certificates for 127.0.0.1, or for another name."""

    def __init__(self, folder: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        self.folder = folder
        self._x509, self._hash, self._encoding = x509, hashes.SHA256(), serialization
        self._new_key = partial(ec.generate_private_key, ec.SECP256R1())
        self._key = self._new_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Meadow authority")])
        self.path = folder / "authority.pem"
        usage = x509.KeyUsage(*[False] * 5, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
        made = self._sign(
            self._key.public_key(), self._name, 0, [(x509.BasicConstraints(True, 0), True), (usage, True)]
        )
        self.path.write_bytes(made)

    def _sign(self, public_key, name, age_days, extensions):  # type: ignore[no-untyped-def]
        now = datetime.now(UTC) - timedelta(days=age_days)
        builder = self._x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(public_key)
        builder = builder.serial_number(self._x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
        identifier = self._x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension, critical in [*extensions, (identifier, False)]:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, self._hash).public_bytes(self._encoding.Encoding.PEM)

    def context(self, name: str, age_days: float = 0) -> ssl.SSLContext:
        """Return what a server needs whose certificate is for ``name``, made so many days ago for 30."""
        key = self._new_key()
        try:
            general = self._x509.IPAddress(ip_address(name))
        except ValueError:
            general = self._x509.DNSName(name)
        names = self._x509.SubjectAlternativeName([general])
        signed = self._sign(key.public_key(), self._x509.Name([]), age_days, [(names, True)])
        private = key.private_bytes(
            self._encoding.Encoding.PEM, self._encoding.PrivateFormat.PKCS8, self._encoding.NoEncryption()
        )
        (self.folder / "server.pem").write_bytes(private + signed)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem")
        return context


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
        ("127.0.0.1", 0, False, "no authority that this machine knows .* update-ca-certificates"),
        ("meadow.example.org", 0, True, "certificate is for another name"),
        ("127.0.0.1", 60, True, r"certificate has expired: here it is \d{4}-\d\d-\d\d, is that right"),
        ("127.0.0.1", -60, True, r"certificate is not yet valid: here it is \d{4}-\d\d-\d\d, is that right"),
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
