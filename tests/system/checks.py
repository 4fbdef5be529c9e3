"""What a rehearsal found: a line for each check as it is made, a summary, an exit code."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PASSED, FAILED, LACKING = 0, 1, 4


@dataclass
class Checks:
    """Counts checks; ``skip`` is for what this machine cannot show, which is neither passed nor failed."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)

    def check(self, what: str, holds: bool, detail: object = "") -> bool:
        """Count and print one check; return whether it holds."""
        self._print("ok" if holds else "FAILED", what, detail)
        if holds:
            self.passed += 1
        else:
            self.failed.append(what)
        return holds

    def skip(self, what: str, why: str) -> None:
        """Print what was not checked, and why."""
        self.skipped.append(what)
        self._print("not checked", what, why)

    def figure(self, what: str, value: str) -> None:
        """Print something measured that nobody judges."""
        self._print("measured", what, value)

    def until(self, what: str, holds: Callable[[], object], within_s: float) -> bool:
        """Wait until something holds; say after how long it did."""
        started_s = time.monotonic()
        while not (found := holds()) and time.monotonic() - started_s < within_s:
            time.sleep(0.1)
        return self.check(what, bool(found), f"after {time.monotonic() - started_s:.1f} s")

    def finish(self, name: str) -> int:
        """Print the summary and return the exit code."""
        seconds = time.monotonic() - self.started_s
        skipped = f", {len(self.skipped)} not checked here" if self.skipped else ""
        print(f"\n{name}: {self.passed} passed, {len(self.failed)} failed{skipped}, {seconds:.0f} s")
        for what in self.failed:
            print(f"  failed: {what}")
        sys.stdout.flush()
        return FAILED if self.failed else PASSED

    def _print(self, verdict: str, what: str, detail: object) -> None:
        print(f"{verdict:>12}  {what}{f' ({detail})' if detail != '' else ''}", flush=True)
