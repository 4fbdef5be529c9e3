"""The best picture of each track, for as long as the track lasts."""

from collections.abc import Sequence

from trailcam_edge.events import PERSON, KeptPicture
from trailcam_edge.recognition.visits import Track
from trailcam_edge.sources import Frame


class BestPictures:
    """Pictures by the number of their track."""

    def __init__(self) -> None:
        self._pictures: dict[int, KeptPicture] = {}

    def keep(self, frame: Frame, tracks: Sequence[Track], keep_persons: bool) -> None:
        """Keep the picture of this frame for each track whose best frame it is; drop those of ended tracks."""
        self.drop_ended(tracks)
        better = [
            track.number
            for track in tracks
            if track.best.sequence == frame.sequence and (keep_persons or track.label != PERSON)
        ]
        if better:
            for number in better:  # first, so that the memory of the old picture is free for the new one
                self._pictures.pop(number, None)
            self._pictures |= dict.fromkeys(better, frame.kept_picture())

    def drop_ended(self, tracks: Sequence[Track]) -> None:
        """Drop the pictures of tracks that are not among ``tracks``."""
        if self._pictures:
            numbers = {track.number for track in tracks}
            self._pictures = {number: picture for number, picture in self._pictures.items() if number in numbers}

    def of(self, track: Track) -> KeptPicture | None:
        """Return the picture of a track, or None."""
        return self._pictures.get(track.number)
