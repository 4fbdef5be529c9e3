"""The picture of a visit as a file: a JPEG with time, label and bundle."""

from typing import TYPE_CHECKING

from trailcam_edge.events import Visit
from trailcam_edge.store.disk.exif import add_exif
from trailcam_edge.store.disk.picture_folder import encode_jpeg
from trailcam_edge.store.wall_time import wall_of_picture

if TYPE_CHECKING:
    from trailcam_core.images.resize import Image
    from trailcam_edge.events import KeptPicture


def encode_visit(visit: Visit, picture: "Image | KeptPicture", quality: int) -> bytes:
    """Return the picture of a visit as a JPEG of this quality (1 to 100) with EXIF.

    Raises:
        ValueError: see ``encode_jpeg``.
    """
    facts = {
        "visit_id": visit.visit_id,
        "label": visit.label,
        "confidence": round(float(visit.confidence), 4),
        "bundle": visit.bundle,
        "boot_id": visit.started.boot_id,
        "monotonic_s": round(float(visit.started.monotonic_s), 3),
    }
    jpeg = encode_jpeg(picture, quality)
    return add_exif(jpeg, visit.label, f"Trailcam, {visit.bundle}", wall_of_picture(visit), facts)
