"""A reviewer that is a script: it opens the pages as a browser does, and answers what it knows to be true."""

import http.client
import json
import re
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from laptop import Laptop
from loop_scenes import Day

_FIELD = re.compile(r'name="after" value="([^"]*)"')
_SLACK_S = 2.0  # a visit opens with its third vote, and a region lags behind


class Reviewer:
    """Reviews one store at home, through ``trailcam review``."""

    def __init__(self, laptop: Laptop, store: Path) -> None:
        self._laptop, self._store = laptop, store
        self._cookie = self._origin = ""
        self._port = 0

    def review(self, queue: str, verdict_of: Callable[[str], str]) -> Counter[str]:
        """Answer everything in a queue; ``verdict_of`` takes the name of a visit or sample. Return the answers."""
        said: Counter[str] = Counter()
        words = ("review", str(self._store), "--serve", "127.0.0.1:0", "--reviewer", "a script")
        with self._laptop.start(*words) as process:
            assert process.stdout is not None
            try:
                self._log_in(process.stdout.readline().removeprefix("Review at ").strip())
                place = self._ask("GET", f"/review/{queue}").getheader("Location")
                while place is not None and (found := re.fullmatch(rf"/review/{queue}/([^/?]+)(\?.*)?", place)):
                    verdict = verdict_of(found[1])
                    after = _FIELD.findall(self._text(place))[-1]  # that of an undo comes before
                    form = {"visit": found[1], "verdict": verdict, "chosen": queue, "after": _plain(after)}
                    place = self._ask("POST", "/reviews", urlencode(form)).getheader("Location")
                    said[verdict.partition(":")[0]] += 1
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)
        return said

    def _log_in(self, link: str) -> None:
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", link)
        if found is None:
            raise OSError(f"trailcam review said {link!r}, expected the address of the page")
        self._port, self._origin = int(found[1]), f"http://127.0.0.1:{found[1]}"
        self._cookie = (self._ask("GET", f"/?token={found[2]}").getheader("Set-Cookie") or "").partition(";")[0]

    def _text(self, path: str) -> str:
        return self._ask("GET", path).body.decode()

    def _ask(self, method: str, path: str, body: str | None = None) -> "Answer":
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            headers = {"Cookie": self._cookie, "Origin": self._origin} if self._cookie else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(dict(answer.getheaders()), answer.read())
        finally:
            connection.close()


class Answer:
    """Headers and body of an answer."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self._headers, self.body = headers, body

    def getheader(self, name: str) -> str | None:
        """Return a header, None if it is not there."""
        return self._headers.get(name)


def truth_of_visits(laptop: Laptop, store: Path, days: Sequence[Day]) -> dict[str, str]:
    """Return what each visit of these days shows: the verdict that people would give."""
    done = laptop.run("events", "--store", str(store), "--json")
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        found[event["visit_id"]] = verdict(
            event["label"], shown_at(datetime.fromisoformat(event["start"]).timestamp(), days)
        )
    return found


def verdict(label: str, kind: str | None) -> str:
    """Return the answer for a visit with this label."""
    if kind is None:
        return "nothing"
    return "confirmed" if label == kind else f"label:{kind}"


def shown_at(unix_s: float, days: Sequence[Day], slack_s: float = _SLACK_S) -> str | None:
    """Return the kind that is shown at a Unix time, None if nothing is."""
    for began, passages in days:
        second = unix_s - began.timestamp()
        for each in passages:
            if each.start_s - 0.3 <= second <= each.end_s + slack_s:
                return each.kind
    return None


def _plain(text: str) -> str:
    return text.replace("&amp;", "&")
