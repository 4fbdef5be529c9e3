"""A host on this machine that cuts, drips and lies, over HTTP and HTTPS, and an authority that vouches for it."""

import gzip
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

CONTENT = bytes(range(256)) * 1000
NAME = f"{hashlib.sha256(CONTENT).hexdigest()}.model.tflite"


@dataclass
class Behaviour:
    """What the host does; ``cuts`` says after how many bytes each answer ends, None at its end.

    It gives ``content`` at every address, or the files of a ``folder``. Only addresses with ``cut_name`` in them are
    cut and noted. ``range_status`` answers every request of a range; with ``encoding`` everything is compressed, also
    for a client that did not ask for it.
    """

    content: bytes = CONTENT
    folder: Path | None = None
    cut_name: str = ""
    cuts: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = '"1"'
    states_length: bool = True
    drip_s: float = 0.0
    status: int | None = None
    range_status: int | None = None
    encoding: str | None = None
    wrong_start: bool = False
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    sent: int = 0


class Host(BaseHTTPRequestHandler):
    """Answers as its behaviour says."""

    def __init__(self, behaviour: Behaviour, *words: object) -> None:
        self.behaviour = behaviour
        super().__init__(*words)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        does = self.behaviour
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if does.cut_name in self.path:
            does.asked.append((wanted, condition))
        content = _content(does, self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        start, status = 0, 200
        if wanted is not None and does.ranges and condition in (None, does.etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(content) else 416
        status = does.status or (does.range_status if wanted is not None else None) or status
        body = content[start:] if status in (200, 206) else b""
        does.answered.append(status)
        self.send_response(status)
        if status == 206:
            said = start - 1 if does.wrong_start else start
            self.send_header("Content-Range", f"bytes {said}-{len(content) - 1}/{len(content)}")
        if does.etag is not None:
            self.send_header("ETag", does.etag)
        if does.encoding is not None:
            self.send_header("Content-Encoding", does.encoding)
        if does.states_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = does.cuts.pop(0) if does.cuts and does.cut_name in self.path else None
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


def _content(does: Behaviour, path: str) -> bytes | None:
    content = does.content if does.folder is None else _read(does.folder / path)
    return content if content is None or does.encoding is None else gzip.compress(content)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


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
