"""A job that is killed with its workers: the same command repeats few files."""

import csv
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from trailcam_archive.batch.journal import Journal

FILES, WORKERS = 400, 4
MOST_REPEATED = 15 + 2 * WORKERS  # rows that are not committed, and the files that the workers have

# A worker that writes the name of each file into a log, and answers it.
WORKER = """
import json, os, sys, time
from trailcam_archive.batch.worker import READY
from trailcam_archive.rows.record import Answer, PictureRecord, record_to_json
log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
answer = record_to_json(PictureRecord((Answer("fox", 0.9, "label", 3.0),))).encode() + bytes([10])
sys.stdin.buffer.readline()
os.write(1, READY)
for line in sys.stdin.buffer:
    os.write(log, os.path.basename(json.loads(line)["reference"]).encode() + bytes([10]))
    time.sleep(0.01)
    os.write(1, answer)
"""
JOB = """
import sys, threading
from pathlib import Path
from trailcam_archive.batch.job import Job, run_job
from trailcam_archive.batch.pool import WorkerPool
from trailcam_archive.batch.tasks import AnalysisSettings
from trailcam_core.classifier import Classifier
from trailcam_core.jobs.progress import silent
card, output, workers, code = sys.argv[1:]
settings = AnalysisSettings()
job = Job((card,), Path(output), settings)
classifier = Classifier.open(num_threads=1)
run_job(job, classifier, lambda: WorkerPool(settings, int(workers), code), threading.Event(), silent)
"""


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_killed_job_repeats_few_files(tmp_path: Path) -> None:
    card, output, log = tmp_path / "card", tmp_path / "rows.csv", tmp_path / "log"
    card.mkdir()
    for number in range(FILES):
        (card / f"{number:03}.jpg").write_bytes(b"x")
    code = f"LOG = {str(log)!r}\n{WORKER}"
    command = [sys.executable, "-c", JOB, str(card), str(output), str(WORKERS), code]
    job = subprocess.Popen(command, start_new_session=True)
    deadline_s = time.monotonic() + 120
    while len(lines(log)) < FILES // 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    kept = Journal(output)
    assert 0 < len(kept) < FILES
    kept.close()
    subprocess.run(command, check=True, timeout=120)
    times = Counter(lines(log))
    assert len(times) == FILES
    assert times.total() - FILES <= MOST_REPEATED < 64
    with open(output, newline="") as file:
        assert [row["File"] for row in csv.DictReader(file)] == sorted(times)
