"""Classify pictures in a storage with the S3 protocol: moto's server on the loopback interface, and s3fs.

    make system TEST=s3

It runs in an environment with Ray, s3fs and moto, which ``run.py`` makes. The rows are compared with those of the same
pictures on the disk. Keys are checked by the server.
"""

import csv
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from checks import Checks

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # of a machine with other work

import boto3
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from ray.cluster_utils import Cluster

from trailcam_edge.sources import DEMO_FRAMES

_BUCKET = "field-camera"
_READ_ONLY = ["s3:ListBucket", "s3:GetObject"]
_MEMORY_BYTES = 100_000_000  # of the object store of a node
_NO_OTHER_KEYS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def main(words: list[str]) -> int:
    """Rehearse; return the exit code."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= _NO_OTHER_KEYS
    checks = Checks()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with tempfile.TemporaryDirectory(prefix="trailcam-s3-") as folder:
        server.start()
        try:
            host, port = server.get_host_and_port()
            os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
            _rehearse(checks, Path(folder), int(words[0]) if words else 60)
        finally:
            server.stop()
    return checks.finish("system test s3")


def _rehearse(checks: Checks, folder: Path, count: int) -> None:
    card = folder / "card"
    storage = _fill(card, count)
    expected = _rows(_classify(str(card), folder / "disk.csv").output)
    checks.check("on the disk: a row for every picture", len(expected) == count + 1)
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = _make_user()
    _check_keys(True)

    address = f"s3://{_BUCKET}/2026"
    requests = _Requests()
    run = _classify(address, folder / "s3.csv")
    checks.check("s3://bucket/prefix: the rows of the disk", _rows(run.output) == expected, run.seconds)
    checks.check("each picture is one request", requests.of_pictures == count + 1, requests.of_pictures)
    run = _classify(address, folder / "s3.csv")
    checks.check("again: nothing is read twice", f"{count + 1:,} files, {count + 1:,} of them before" in run.text)
    other = next(row for row in expected if row["Best"] not in ("", expected[0]["Best"]))
    _replace_first(storage, card / other["RelativePath"] / other["File"])
    found = _rows(_classify(address, folder / "s3.csv").output)
    checks.check("a picture that was replaced is read again", found[0]["Best"] == other["Best"], other["Best"])
    _replace_first(storage, _frames()[0])
    _check_kill(checks, address, folder / "killed.csv", expected)
    right = dict(os.environ)
    _check_errors(checks, address, folder)
    os.environ |= right
    _check_ray(checks, address, folder / "ray.csv", expected)


def _check_kill(checks: Checks, address: str, output: Path, expected: list[dict[str, str]]) -> None:
    journal = output.with_name(output.name + ".journal")
    log = journal.with_name(journal.name + "-wal")
    rows = 0
    for size_bytes in range(30_000, 200_000, 10_000):  # the first kills may come before a picture is in the journal
        job = subprocess.Popen(_command(address, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while job.poll() is None and not (log.exists() and log.stat().st_size > size_bytes):
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.wait()
        with closing(sqlite3.connect(journal)) as database:
            (rows,) = database.execute("SELECT count(*) FROM files").fetchone()
        if rows:
            break
    run = _classify(address, output)
    checks.check("killed, then the same command: the rows of the disk", _rows(output) == expected)
    checks.check("it went on where it was", f"{rows:,} of them before" in run.text, f"{rows} of {len(expected)}")


def _check_ray(checks: Checks, address: str, output: Path, expected: list[dict[str, str]]) -> None:
    options: dict[str, Any] = {"num_cpus": 1, "object_store_memory": _MEMORY_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**options, "include_dashboard": False})
    try:
        cluster.add_node(**options)
        run = _classify(address, output, "--ray", cluster.address)
        checks.check("on two Ray nodes: the rows of the disk", _rows(output) == expected, run.seconds)
    finally:
        cluster.shutdown()


def _check_errors(checks: Checks, address: str, folder: Path) -> None:
    run = _classify(f"s3://{_BUCKET}/nowhere", folder / "error.csv")
    checks.check("a prefix without a file is one error", run.is_one_error("no such file, folder or bucket"), run.text)
    run = _classify("s3://no-such-bucket-of-mine/2026", folder / "error.csv")
    checks.check("a bucket that is not there is one error", run.is_one_error("no-such-bucket"), run.text)
    kept = os.environ["AWS_SECRET_ACCESS_KEY"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = "wrong"
    run = _classify(address, folder / "error.csv")
    checks.check("a wrong key is one error", run.is_one_error("cannot be read"), run.text)
    del os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"]
    run = _classify(address, folder / "error.csv")
    checks.check("no key is one error", run.is_one_error("redentials"), run.text)
    os.environ |= {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": kept, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    run = _classify(address, folder / "error.csv")
    checks.check("no server is one error", run.is_one_error("127.0.0.1:9"), f"{run.seconds}, {run.text}")


class _Requests(logging.Handler):
    """Counts the requests for pictures in the log of the server, which it takes off the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.of_pictures = 0
        logger = logging.getLogger("werkzeug")
        logger.handlers, logger.propagate = [self], False

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line."""
        self.of_pictures += any(suffix in record.getMessage() for suffix in (".webp ", ".jpg "))


class _Run:
    """One command: its output file, the text that it printed, its exit code, and how long it took."""

    def __init__(self, output: Path, text: str, code: int, seconds: str) -> None:
        self.output, self.text, self.code, self.seconds = output, text, code, seconds

    def is_one_error(self, part: str) -> bool:
        """Return whether the command ended with one line that has this part, and wrote nothing."""
        return self.code == 1 and len(self.text.splitlines()) == 1 and part in self.text and not self.output.exists()


def _command(source: str, output: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "trailcam", "classify", source, "--out", str(output), "--jobs", "2", *options]


def _classify(source: str, output: Path, *options: str) -> _Run:
    started_s = time.monotonic()
    done = subprocess.run(_command(source, output, *options), capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith(("trailcam", "Traceback"))]
    text = "\n".join([*done.stdout.splitlines(), *errors])
    return _Run(output, text, done.returncode, f"{time.monotonic() - started_s:.1f} s")


def _frames() -> list[Path]:
    return sorted(DEMO_FRAMES.glob("*.webp"))


def _fill(card: Path, count: int) -> Any:
    """Put pictures on the disk and the same into the bucket, with a broken one and a file that is no picture."""
    storage = boto3.client("s3", aws_access_key_id="root", aws_secret_access_key="root")
    storage.create_bucket(Bucket=_BUCKET)
    frames = _frames()
    contents = {
        f"{('north', 'south')[number % 2]}/{number:06}.webp": frames[number % len(frames)].read_bytes()
        for number in range(count)
    }
    contents |= {"south/broken.jpg": b"no picture", "notes.txt": b"no picture"}
    for name, content in contents.items():
        (card / name).parent.mkdir(parents=True, exist_ok=True)
        (card / name).write_bytes(content)
        storage.put_object(Bucket=_BUCKET, Key=f"2026/{name}", Body=content)
    return storage


def _make_user() -> tuple[str, str]:
    """Make a user who may list and read the bucket, and nothing else; return the keys."""
    service = boto3.client("iam", aws_access_key_id="root", aws_secret_access_key="root")
    service.create_user(UserName="reader")
    resources = [f"arn:aws:s3:::{_BUCKET}", f"arn:aws:s3:::{_BUCKET}/*"]
    rule = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": _READ_ONLY, "Resource": resources}}
    service.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(rule))
    key = service.create_access_key(UserName="reader")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def _check_keys(wanted: bool) -> None:
    """Let the server check keys and rights, or not."""
    address = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    unchecked_requests = b"0" if wanted else b"inf"
    request = urllib.request.Request(address, unchecked_requests, {"Content-Type": "text/plain"})
    urllib.request.urlopen(request).close()


def _replace_first(storage: Any, picture: Path) -> None:
    _check_keys(False)
    storage.put_object(Bucket=_BUCKET, Key="2026/north/000000.webp", Body=picture.read_bytes())
    _check_keys(True)


def _rows(path: Path) -> list[dict[str, str]]:
    """Return the rows without what differs between a disk and a storage."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{**row, "Folder": "", "Station": "", "Error": row["Error"][-30:]} for row in csv.DictReader(file)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
