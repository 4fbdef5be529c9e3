"""Evaluate the saved model of a training and write the files that people and exports read."""

from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from trailcam_core.datasets.run_directory import REVIEWS_FILE, Run, SplitRow, read_run
from trailcam_core.field.views import field_figures, read_groups
from trailcam_core.files.atomic import write_file
from trailcam_core.inference.decision import probabilities
from trailcam_core.jobs.progress import Progress
from trailcam_core.records import encode
from trailcam_core.spec import OutputSpec
from trailcam_train.evaluation.evaluate import compute_metrics
from trailcam_train.evaluation.ood import SplitLogits, predict_ood_images
from trailcam_train.evaluation.predictions import EARLIER_ANSWERS_FILE, PREDICTIONS_FILE, predictions_to_bytes
from trailcam_train.evaluation.verdict import Training, Verdict, judge
from trailcam_train.fitting.checkpoints import State
from trailcam_train.fitting.loop import predict_logits
from trailcam_train.fitting.streams import plain_stream
from trailcam_train.models.runtime import load_network
from trailcam_train.reports.run_report import Page, render_report
from trailcam_train.retraining.earlier import EARLIER, EARLIER_SHA256, UNCHANGED
from trailcam_train.retraining.earlier_answers import answer_new_pictures
from trailcam_train.retraining.last_layer import has_same_trunk, load_earlier
from trailcam_train.retraining.reviews import describe_reviews, used_reviews
from trailcam_train.run.partial_run import TrainingJob, json_bytes, now, read_unreadable

MODEL_FILE = "model.keras"
REPORT_FILE = "report.html"  # written last


def judge_run(run: Run) -> Verdict:
    """Judge a finished run against guessing."""
    began = run.recipe.get("weights", "none") != "none" or bool(run.provenance.get("teacher"))
    training = Training(str(run.path), run.provenance.get("data", "DATA"), began, len(run.pictures("train")))
    return judge(run.metrics["test"], training)


def _training_of(job: TrainingJob) -> Training:
    began = job.recipe.weights != "none" or bool(job.recipe.distillation.teacher)
    return Training(str(job.folder.with_name(job.name)), str(job.data), began, len(job.pictures("train")))


def _output_of(job: TrainingJob) -> OutputSpec:
    """Return the labels of a training, and which of them are never an answer."""
    field = job.recipe.field
    silent = [(name,) if name in job.labels else () for name in (field.blank_label, field.unknown_label)]
    return OutputSpec(job.labels, 1.0, None, blank_labels=silent[0], unknown_labels=silent[1])


def _write_earlier_answers(job: TrainingJob, model: keras.Model, rows: tuple[SplitRow, ...], progress: Progress) -> str:
    """Write ``earlier.csv``; return whether all weights but those of the last layer are still the earlier ones."""
    run = read_run(Path(job.provenance[EARLIER]))
    network = load_earlier(run, job.provenance[EARLIER_SHA256])
    answers = answer_new_pictures(network, run, job.recipe, rows, job.data, progress)
    write_file(job.folder / EARLIER_ANSWERS_FILE, answers)
    return UNCHANGED if has_same_trunk(model, network) else "trained"


def write_evaluation(job: TrainingJob, state: State, progress: Progress) -> None:
    """Evaluate the saved file, not the model in memory; write metrics, predictions, provenance and report.

    Raises:
        DataError: a picture cannot be read.
        OSError: the disk is full or failing.
    """
    model = load_network(job.folder / MODEL_FILE)

    def predict(split: str) -> SplitLogits:
        stream = plain_stream(job.recipe, job.pictures(split), job.labels, job.data)
        return SplitLogits(*predict_logits(model, stream, progress))

    validation, test = predict("validation"), predict("test")
    ood = None
    if job.ood is not None:
        ood = predict_ood_images(model, job.ood, job.recipe.input.spec, progress)
    output = _output_of(job)
    metrics = compute_metrics(output, validation, test, ood)
    rule = metrics["reject"]["score"], metrics["reject"]["threshold"]
    figures = field_figures(job.pictures("test"), test.logits, output, rule, read_groups(job.data))
    if figures is not None:
        metrics["field"] = encode(figures)
    if state.blends:
        metrics["blends"] = [asdict(row) for row in state.blends]
    provenance = {
        **job.provenance,
        "finished": now(),
        "epochs": str(state.epoch),
        "best_epoch": str(state.best_epoch),
        "training_seconds": f"{sum(row.seconds for row in state.history):.0f}",
    }
    rows = (*job.pictures("validation"), *job.pictures("test"))
    earlier = Path(provenance[EARLIER]) if EARLIER in provenance else None
    reviews = used_reviews(job.data, job.rows, earlier)
    if provenance_of_reviews := describe_reviews(reviews):
        provenance |= provenance_of_reviews
        write_file(job.folder / REVIEWS_FILE, reviews)
    if earlier is not None:
        provenance["frozen_part"] = _write_earlier_answers(job, model, rows, progress)
    write_file(job.folder / "metrics.json", json_bytes(metrics))
    found = probabilities(np.concatenate([validation.logits, test.logits]), metrics["temperature"])
    write_file(job.folder / PREDICTIONS_FILE, predictions_to_bytes(rows, found, job.labels))
    write_file(job.folder / "provenance.json", json_bytes(provenance))
    page = Page(
        name=job.name,
        recipe=job.recipe,
        labels=job.labels,
        metrics=metrics,
        history=state.history,
        provenance=provenance,
        unreadable=read_unreadable(job.folder),
        data=job.data,
        rows=rows,
        validation=validation,
        test=test,
        model=model,
        verdict=judge(metrics["test"], _training_of(job)),
        field_figures=figures,
    )
    write_file(job.folder / REPORT_FILE, render_report(page).encode("utf-8"))
