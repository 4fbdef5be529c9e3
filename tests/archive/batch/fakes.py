"""A pool without processes: the answer is the name of the file."""

from collections import deque
from pathlib import Path

from trailcam_archive.batch.pool import Result
from trailcam_archive.batch.tasks import Task
from trailcam_archive.rows.record import Answer, PictureRecord, record_to_json


class FakePool:
    """Answers two tasks per wait; ``seen`` are the names of all tasks that it got."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.closed = False
        self._tasks: deque[Task] = deque()

    @property
    def pending(self) -> int:
        return len(self._tasks)

    def wanted(self) -> int:
        return 4 - len(self._tasks)

    def submit(self, task: Task) -> None:
        self.seen.append(Path(task.reference).name)
        self._tasks.append(task)

    def wait(self, timeout_s: float) -> list[Result]:
        return [self.answer(self._tasks.popleft()) for _ in range(min(2, len(self._tasks)))]

    def answer(self, task: Task) -> Result:
        boxes = task.detections or (None,)
        name = Path(task.reference).stem
        answers = tuple(Answer(name, 0.9, "label", 3.0, detection=box) for box in boxes)
        return task, record_to_json(PictureRecord(answers))

    def close(self) -> None:
        self.closed = True
