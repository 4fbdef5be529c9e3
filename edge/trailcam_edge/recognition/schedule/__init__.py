"""Hours in which the camera watches: windows of the day that may follow the sun."""

from trailcam_edge.recognition.schedule.settings import ScheduleSettings
from trailcam_edge.recognition.schedule.windows import Schedule

__all__ = ["Schedule", "ScheduleSettings"]
