"""The script of the demo: which place, which animal, where it stands in each frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import animal_butterfly
import animal_chicken
import animal_cow
import animal_dog
import animal_elephant
import animal_horse
import animal_sheep
import animal_spider
import animal_squirrel
import cv2
import numpy as np
from camera import HEIGHT, WIDTH, compose
from fur import Coat, comb
from noise import Array
from raymarch import photograph
from scenery import Outdoor, Place, bokeh, outdoor
from sculpt import Body
from skimage import data as skimage_data
from view import Light, View

LICENCE = "Apache-2.0, as the project"
OWN = "drawn by this folder's scripts, no photograph and no other work in it"
CHELSEA = (
    "photograph of Chelsea the cat by Stefan van der Walt, skimage/data/chelsea.png in the scikit-image wheel, "
    'cropped and resized; skimage/data/_fetchers.py says: "No copyright restrictions.  CC0 by the photographer '
    '(Stefan van der Walt)."'
)
_W, _H = WIDTH * 5 // 4, HEIGHT * 5 // 4  # scenes are painted a quarter larger than the frames


@dataclass(frozen=True)
class Pose:
    """One frame of a visit: limbs, heading, place (x, z), and the camera's zoom."""

    swing: float = 0.0
    yaw_deg: float = 30.0
    at: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A place with a fixed camera, and the visit of one solid animal."""

    scene: str
    label: str
    build: Callable[[float], Body]
    coat: Coat
    view: View
    style: Outdoor
    poses: tuple[Pose, ...]
    seed: int
    empties: int = 2
    light: Light = field(default_factory=Light)


@dataclass(frozen=True)
class Picture:
    """A scene before the camera: (H, W, 3) sRGB in 0 to 1, and what is in it."""

    scene: str
    label: str | None
    origin: str
    licence: str
    image: Array
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


def _view(eye_height: float, distance: float, look_height: float, zoom: float) -> View:
    """A camera that looks along -z."""
    return View((0.0, eye_height, distance), (0.0, look_height, 0.0), zoom, _W, _H)


_SAVANNA = Outdoor(
    sky_top=(0.5, 0.66, 0.84),
    sky_low=(0.93, 0.88, 0.76),
    hills=((0.62, 0.6, 0.56), (0.58, 0.54, 0.36)),
    trees=(0.3, 0.34, 0.17),
    trees_at=0.045,
    ground_far=(0.74, 0.64, 0.38),
    ground_near=(0.58, 0.47, 0.26),
    blade=(0.66, 0.56, 0.29),
    blade_length=0.3,
    blade_count=16000,
    clouds=0.6,
)
_YARD = Outdoor(
    trees=(0.3, 0.4, 0.2),
    trees_at=0.3,
    ground_far=(0.5, 0.52, 0.32),
    ground_near=(0.47, 0.42, 0.28),
    blade=(0.42, 0.5, 0.24),
    blade_length=0.03,
    blade_count=9000,
    blur_px=9.0,
    clouds=0.9,
)
_PASTURE = Outdoor(flowers=400, blade_length=0.09, blade_count=18000)
_DUSK = Outdoor(
    sky_top=(0.28, 0.33, 0.5),
    sky_low=(0.92, 0.66, 0.48),
    hills=((0.4, 0.38, 0.46), (0.25, 0.25, 0.28)),
    trees=(0.12, 0.14, 0.11),
    trees_at=0.2,
    ground_far=(0.36, 0.35, 0.26),
    ground_near=(0.24, 0.27, 0.17),
    blade=(0.28, 0.33, 0.19),
    blade_length=0.05,
    blade_count=9000,
    blur_px=9.0,
)

STAGES = (
    Stage(
        "savanna",
        "elephant",
        animal_elephant.build,
        animal_elephant.COAT,
        _view(1.7, 11.0, 1.4, 1.55),
        _SAVANNA,
        (Pose(-0.6, 30, (-0.9, -0.6)), Pose(0.1, 32, (-0.5, -0.2)), Pose(0.7, 34, (-0.1, 0.2))),
        41,
    ),
    Stage(
        "pasture",
        "cow",
        animal_cow.build,
        animal_cow.COAT,
        _view(1.35, 5.2, 0.85, 1.35),
        _PASTURE,
        (Pose(-0.7, -26, (-0.3, 0.0)), Pose(0.0, -23, (-0.12, 0.05)), Pose(0.7, -20, (0.05, 0.1))),
        52,
    ),
    Stage(
        "meadow",
        "horse",
        animal_horse.build,
        animal_horse.COAT,
        _view(1.45, 6.0, 1.05, 1.35),
        Outdoor(flowers=500, blade_count=16000),
        (Pose(-0.8, 36, (-0.35, -0.2)), Pose(0.0, 33, (-0.1, 0.0)), Pose(0.8, 30, (0.1, 0.1))),
        3,
    ),
    Stage(
        "hillside",
        "sheep",
        animal_sheep.build,
        animal_sheep.COAT,
        _view(0.75, 3.4, 0.52, 1.5),
        Outdoor(
            trees_at=0.0,
            hills=((0.55, 0.64, 0.66), (0.42, 0.54, 0.34)),
            hills_at=(0.2, 0.1),
            blade_length=0.06,
            blade_count=16000,
        ),
        (Pose(-0.7, 24, (-0.2, -0.1)), Pose(0.0, 20, (-0.08, 0.0)), Pose(0.7, 17, (0.0, 0.0))),
        64,
    ),
    Stage(
        "farmyard",
        "chicken",
        animal_chicken.build,
        animal_chicken.COAT,
        _view(0.34, 1.45, 0.27, 1.6),
        _YARD,
        (Pose(-0.8, 25, (-0.05, 0.0)), Pose(0.1, 22, (0.0, 0.0)), Pose(0.8, 18, (0.03, 0.0))),
        75,
    ),
    Stage(
        "lawn",
        "dog",
        animal_dog.build,
        animal_dog.COAT,
        _view(0.7, 2.5, 0.47, 1.5),
        Outdoor(trees_at=0.3, blade_length=0.045, blade_count=15000, blur_px=9.0),
        (Pose(-0.8, 34, (-0.08, -0.05)), Pose(0.1, 32, (0.0, 0.0)), Pose(0.8, 30, (0.04, 0.05))),
        86,
    ),
)


def _staged(stage: Stage) -> Iterator[Picture]:
    """Play a stage: the empty place, then the visit."""
    place = outdoor(stage.view, stage.style, stage.seed)
    empty = compose(place, None, None, None)
    for _ in range(stage.empties):
        yield Picture(stage.scene, None, OWN, LICENCE, empty)
    for number, pose in enumerate(stage.poses):
        view, light = stage.view.seen_by(pose.yaw_deg, pose.at), stage.light.seen_by(pose.yaw_deg)
        body = stage.build(pose.swing)
        shot = photograph(body, view, light)
        colour, alpha = (
            comb(shot, body, view, stage.coat, stage.seed + number) if stage.coat.count else (shot.colour, shot.alpha)
        )
        yield Picture(stage.scene, stage.label, OWN, LICENCE, compose(place, colour, alpha, shot.shadow), pose.zoom)


def _flat(picture: Array) -> Place:
    """A place with nothing in front."""
    return Place(picture, picture, np.zeros(picture.shape[:2], np.float32))


def _squirrel() -> Iterator[Picture]:
    view = View((0.0, 0.14, 0.95), (0.0, 0.085, 0.0), 1.65, _W, _H).seen_by(30.0)
    place = _flat(bokeh(_H, _W, _WOODS, 97))
    light = Light(sun=(0.35, 0.8, 0.6)).seen_by(30.0)
    log = photograph(animal_squirrel.build_log(), view, light, ground=False)
    for _ in range(2):
        yield Picture("wood", None, OWN, LICENCE, compose(place, log.colour, log.alpha, None))
    for number, swing in enumerate((-1.0, 0.0, 1.0)):
        body = animal_squirrel.build(swing)
        shot = photograph(body, view, light, ground=False)
        colour, alpha = comb(shot, body, view, animal_squirrel.COAT, 97 + number)
        yield Picture("wood", "squirrel", OWN, LICENCE, compose(place, colour, alpha, None), 1.0 + 0.03 * number)


_WOODS = ((0.37, 0.48, 0.25), (0.52, 0.6, 0.29), (0.26, 0.32, 0.17), (0.7, 0.72, 0.43), (0.5, 0.42, 0.29))
_GREENS = ((0.3, 0.42, 0.18), (0.42, 0.55, 0.22), (0.2, 0.3, 0.13), (0.6, 0.66, 0.35), (0.5, 0.45, 0.25))


def _butterfly() -> Iterator[Picture]:
    empty = bokeh(_H, _W, _GREENS, 3)
    bloom = animal_butterfly.flower(empty, (0.49 * _W, 0.6 * _H), 0.32 * _H, 1)
    for _ in range(2):
        yield Picture("flower bed", None, OWN, LICENCE, empty)
    for number, flap in enumerate((0.45, 0.1, 0.25)):
        at = (0.5 * _W, (0.49 + 0.01 * number) * _H)
        image = animal_butterfly.butterfly(bloom, at, 0.67 * _W, 20.0 + 4 * number, flap)
        yield Picture("flower bed", "butterfly", OWN, LICENCE, image, 1.0 + 0.02 * number)


def _spider() -> Iterator[Picture]:
    view = View((0.0, 0.1, 9.0), (0.0, 0.1, 0.0), 1.6, _W, _H)
    empty = bokeh(_H, _W, _GREENS, 5)
    web = animal_spider.web(empty, (_W / 2, 0.517 * _H), 1.6 * _W / 9, 2)
    light = Light(sun=(-0.4, 0.6, 0.9))
    for _ in range(2):
        yield Picture("hedge", None, OWN, LICENCE, empty)
    for number, swing in enumerate((-0.6, 0.2, 0.9)):
        body = animal_spider.build(swing)
        shot = photograph(body, view, light, ground=False)
        colour, alpha = comb(shot, body, view, animal_spider.COAT, 8 + number)
        yield Picture("hedge", "spider", OWN, LICENCE, compose(_flat(web), colour, alpha, None), 1.0 + 0.03 * number)


def _cat() -> Iterator[Picture]:
    view = _view(0.5, 2.5, 0.45, 1.4)
    place = outdoor(view, _DUSK, 108)
    for _ in range(2):
        yield Picture("garden at dusk", None, OWN, LICENCE, compose(place, None, None, None))
    photo = skimage_data.chelsea().astype(np.float32) / 255  # (300, 451, 3)
    for number, left in enumerate((10, 24, 36)):
        crop = cv2.resize(photo[:, left : left + 400], (_W, _H), interpolation=cv2.INTER_CUBIC)
        yield Picture("garden at dusk", "cat", CHELSEA, "CC0-1.0", np.clip(crop, 0, 1), 1.0 + 0.03 * number)


_ACTS: dict[str, Callable[[], Iterator[Picture]]] = {
    **{stage.label: partial(_staged, stage) for stage in STAGES},
    "butterfly": _butterfly,
    "spider": _spider,
    "squirrel": _squirrel,
    "cat": _cat,
}
PROGRAMME = ("butterfly", "elephant", "spider", "horse", "cat", "sheep", "squirrel", "chicken", "cow", "dog")


def play(animal: str) -> Iterator[Picture]:
    """Play the scenes of one animal of the programme: the empty place, then the visit."""
    return _ACTS[animal]()
