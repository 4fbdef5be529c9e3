"""Staged rollout: the release of a channel that a camera takes, decided on the camera from its id. Pure functions.

The operator signs a percentage for each release. A camera's place in the queue, 0 to 99, is a hash of its id, the
channel and the version: the same at every contact, so widening from 10 to 50 % only adds cameras. The version is part
of it so that every release has other early cameras: no forest gets every untried model, no habitat judges them all, and
the cost of going first is shared.

What a camera takes is the newest of

    the releases that are not stopped and whose percentage is above its place,
    the release that it has, also after its percentage changed.

So a camera never goes back to an older release than it has, with one exception: the operator withdrew ("expired") it.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from trailcam_core.release.index import Offer, ReleaseIndex

_HASHED_BYTES = 8


@dataclass(frozen=True)
class Choice:
    """The release that a camera takes from a channel whose index has ``number``.

    ``version`` is None where no release is for this camera. ``passed_over`` is the newest release if it is not the
    chosen one.
    """

    channel: str
    number: int
    version: str | None
    passed_over: Offer | None

    def sentence(self) -> str:
        """Return the reason why the newest release is not taken; empty if it is."""
        offer = self.passed_over
        if offer is None:
            return ""
        why = "was stopped" if offer.stopped else f"is for {offer.percent} % of the cameras, not for this one yet"
        return f"{self.channel} {offer.version}: {why}"


def place_in_queue(device_id: str, channel: str, version: str) -> int:
    """Return the place of a camera among all for one release, 0 (first) to 99."""
    digest = hashlib.sha256("\0".join((device_id, channel, version)).encode()).digest()
    return int.from_bytes(digest[:_HASHED_BYTES]) * 100 >> 8 * _HASHED_BYTES


def takes(offer: Offer, device_id: str | None, channel: str) -> bool:
    """Return True if an offer is for a camera; one whose id is None takes only offers for all cameras."""
    if offer.stopped:
        return False
    place = 99 if device_id is None else place_in_queue(device_id, channel, offer.version)
    return place < offer.percent


def choose(index: ReleaseIndex, device_id: str | None, has: Collection[str]) -> Choice:
    """Return the release that a camera takes.

    Args:
        index: of the channel, as it was signed.
        device_id: of the camera, None if it cannot be read.
        has: the versions that run on it or are being tried.
    """
    for offer in index.offers:
        if offer.version in has or takes(offer, device_id, index.channel):
            newest = index.offers[0]
            return Choice(index.channel, index.number, offer.version, None if offer is newest else newest)
    return Choice(index.channel, index.number, None, index.offers[0])
