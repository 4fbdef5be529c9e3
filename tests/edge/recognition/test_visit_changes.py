"""Labels of the settings that a model does not know."""

from trailcam_edge.recognition.settings import VisitSettings
from trailcam_edge.recognition.visit_changes import is_clearly_better, unknown_labels
from trailcam_edge.recognition.visits import Best


def test_a_label_that_the_model_never_answers_is_named_once() -> None:
    settings = VisitSettings(allowed=("lynx", "linx"), months={"linx": (1,), "cow": (2,)})
    assert unknown_labels(settings, ("lynx", "cow")) == ("linx",)


def test_the_same_frame_is_never_better_and_a_blurred_first_frame_is_no_measure() -> None:
    settings = VisitSettings()
    assert not is_clearly_better(Best(1, 1.0, 9.0), Best(1, 0.1, 1.0), settings)
    assert not is_clearly_better(Best(2, 0.9, 9.0), Best(1, 0.9, 0.0), settings)
    assert not is_clearly_better(Best(2, 0.89, 90.0), Best(1, 0.9, 1.0), settings)
