"""Run the encoder process for one clip, with a time limit."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence

from trailcam_core.errors import DeviceError
from trailcam_core.files.child_reader import describe_death
from trailcam_core.files.names import printable
from trailcam_edge.clips.ring import ClipFrame
from trailcam_edge.clips.settings import ClipSettings

_MAX_LINE_BYTES = 4096
_MAX_REASON = 300  # characters in the log
_MAX_CLIP_BYTES = 400_000_000  # the memory that the process may take
_MP4_TYPE = b"ftyp"  # after the size of the first box: ISO/IEC 14496-12, 4.3
_COMMAND = (sys.executable, "-P", "-m", "trailcam_edge.clips.encoder_process")


class Encoder:
    """Makes MP4 files, one at a time.

    Args:
        settings: bit rate and time limit.
        command: starts the process.
    """

    def __init__(self, settings: ClipSettings, command: tuple[str, ...] = _COMMAND) -> None:
        self._settings = settings
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._stopped = False

    def encode(self, frames: Sequence[ClipFrame]) -> bytes:
        """Return the MP4 file of some frames; waits for the process.

        Raises:
            DeviceError: the process failed, died, or was late; the reason is a part of a sentence.
        """
        with self._guard:
            if self._stopped:
                raise DeviceError("the camera was stopped before")
            try:
                process = self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C ends the camera, which ends this
                )
            except OSError as error:
                raise DeviceError(f"its encoder cannot be started ({error})") from error
        late = threading.Event()
        timer = threading.Timer(self._settings.write_timeout_s, self._kill, [process, late])
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(process, frames)
        finally:
            timer.cancel()
            process.kill()
            process.wait()
        if answer is None:
            raise DeviceError(self._explain(process.returncode, late.is_set()))
        return answer

    def stop(self) -> None:
        """Kill the process, and start no other one."""
        with self._guard:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _kill(self, process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
        late.set()
        process.kill()

    def _exchange(self, process: "subprocess.Popen[bytes]", frames: Sequence[ClipFrame]) -> bytes | None:
        """Return the file, or None if the process has ended before it was whole."""
        if process.stdin is None or process.stdout is None:
            return None
        with process:
            try:
                process.stdin.write(self._header(frames))
                for frame in frames:
                    process.stdin.write(frame.content)
                process.stdin.close()
                line = process.stdout.readline(_MAX_LINE_BYTES)
                if not line:
                    return None
                size_bytes = _size_of_answer(line)
                content = process.stdout.read(size_bytes)
            except OSError:
                return None
            finally:
                process.kill()  # it has answered, or never will: leaving the block waits for it
        if len(content) < size_bytes:
            return None
        if content[4:8] != _MP4_TYPE:
            raise DeviceError(f"its encoder answered {size_bytes:,} bytes that are no MP4 file")
        return content

    def _header(self, frames: Sequence[ClipFrame]) -> bytes:
        first_s = frames[0].at_s
        header = {
            "kind": frames[0].kind,
            "times_ms": _increasing([round(1000 * (frame.at_s - first_s)) for frame in frames]),
            "bytes": [len(frame.content) for frame in frames],
            "max_kbit_s": self._settings.max_kbit_s,
        }
        return json.dumps(header).encode("ascii") + b"\n"

    def _explain(self, exit_status: int, is_late: bool) -> str:
        if self._stopped:
            return "the camera was stopped while it was written"
        if is_late:
            return f"it was not written within {self._settings.write_timeout_s:g} s (write_timeout_s)"
        return f"its encoder ended before it was whole ({describe_death(exit_status) or f'exit code {exit_status}'})"


def _size_of_answer(line: bytes) -> int:
    """Return the size of the file that follows the first line of an answer.

    Raises:
        DeviceError: the encoder gives a reason instead, or the line has another form.
    """
    try:
        found = json.loads(line)
        if "error" in found:
            raise DeviceError(f"its encoder failed ({printable(str(found['error']))[:_MAX_REASON]})")
        size_bytes = found["bytes"]
        if isinstance(size_bytes, int) and 0 < size_bytes <= _MAX_CLIP_BYTES:
            return size_bytes
    except (ValueError, TypeError, LookupError):  # no JSON, or JSON of another shape
        pass
    raise DeviceError(f"its encoder answered {line[:60]!r}, expected the size of a file")


def _increasing(times_ms: list[int]) -> list[int]:
    """Return times of which each is after the one before: two frames may share a millisecond."""
    for number in range(1, len(times_ms)):
        times_ms[number] = max(times_ms[number], times_ms[number - 1] + 1)
    return times_ms
