"""Everything that a person can set about updates: the section ``[update]`` of a camera's configuration."""

from dataclasses import dataclass
from pathlib import Path

from trailcam_edge.update.install.state_machine import SelfTestLimits, WatchRule

__all__ = ["UPDATE_FOLDER", "UpdateSettings"]

UPDATE_FOLDER = Path("/var/lib/trailcam/update")
_LIMITS = SelfTestLimits()
_RULE = WatchRule()
_DAY_S = 86_400.0


@dataclass(frozen=True)
class UpdateSettings:
    """Where releases come from, what a bundle may cost here, and when a new one has proven itself.

    ``folder`` holds the journal, the bundles and ``root.json``. ``source`` is an https address or a folder's absolute
    path; None leaves updates to whoever runs "trailcam update SOURCE". A camera that sees ``current`` change ends
    itself to be started again, when no visit is open or after ``switch_wait_s``.
    """

    folder: Path = UPDATE_FOLDER
    source: str | None = None
    channel: str | None = None
    max_latency_ms: float = _LIMITS.latency_p90_ms
    max_memory_mb: float = _LIMITS.memory_mb
    healthy_s: float = _RULE.healthy_s
    give_up_s: float = _RULE.give_up_s
    most_starts: int = _RULE.most_starts
    switch_wait_s: float = 600.0

    def __post_init__(self) -> None:
        if self.source is not None and not self.source.startswith(("https://", "/")):
            raise ValueError(f"source is {self.source!r}, expected an https:// address or a folder from / on")
        if (self.source is None) != (self.channel is None):
            raise ValueError("source and channel belong together: name both, or none to update by hand only")
        for name, low, high in (
            ("max_latency_ms", 1.0, 600_000.0),
            ("max_memory_mb", 1.0, 1_000_000.0),
            ("healthy_s", 1.0, _DAY_S),
            ("give_up_s", self.healthy_s, 7 * _DAY_S),
            ("most_starts", 1, 1000),
            ("switch_wait_s", 0.0, _DAY_S),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name):g}, expected {low:g} to {high:g}")

    @property
    def limits(self) -> SelfTestLimits:
        """What the self-test is told."""
        return SelfTestLimits(self.max_latency_ms, self.max_memory_mb)

    @property
    def rule(self) -> WatchRule:
        """What the watch is told."""
        return WatchRule(self.healthy_s, self.give_up_s, self.most_starts)
