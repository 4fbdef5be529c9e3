"""The field sequence that is shipped is the one that its script composes."""

import json

import cv2
import numpy as np

from compose_demo_sequence import ANIMAL, DEMO, FIRST, HEIGHT_PX, LAST, NAME, SCENE, compose, cut_out, describe


def test_the_shipped_sequence_is_the_composed_one() -> None:
    capture = cv2.VideoCapture(str(DEMO / NAME))
    for number, frame in enumerate(compose()):
        read, shipped = capture.read()
        assert read, number
        difference = cv2.absdiff(frame, shipped)
        assert difference.mean() < 5, number  # of noise and of lossy video; the cow moves by 17 px a frame
        assert cv2.blur(difference, (15, 15)).max() < 40, number
    assert not capture.read()[0]
    capture.release()


def test_the_facts_beside_it_are_the_composed_ones() -> None:
    assert json.loads((DEMO / "walk.json").read_text(encoding="utf-8")) == json.loads(json.dumps(describe()))


def test_the_animal_is_there_from_its_first_to_its_last_frame_and_in_no_other() -> None:
    scene = cv2.imread(str(DEMO / SCENE))[-360:, :640]
    changed = [cv2.blur(cv2.absdiff(frame, scene), (5, 5)).max() > 60 for frame in compose()]
    assert changed == [FIRST <= number <= LAST for number in range(len(changed))]


def test_the_cut_out_is_the_animal_alone() -> None:
    cut, opacity = cut_out(cv2.imread(str(DEMO / ANIMAL)), HEIGHT_PX)
    assert cut.shape[0] == opacity.shape[0] == HEIGHT_PX
    assert 0.3 < opacity.mean() < 0.7  # of its box: a body on four legs
    inside = cut[opacity[..., 0] > 0.99]
    greenness = inside[:, 1] - np.maximum(inside[:, 0], inside[:, 2])
    assert np.mean(greenness > 20) < 0.02  # hardly any grass
