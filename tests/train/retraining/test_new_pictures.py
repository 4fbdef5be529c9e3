"""The list of an import beside its pictures."""

from pathlib import Path

import pytest

from trailcam_core.errors import DataError
from trailcam_train.retraining.new_pictures import JOURNAL_FILE, read_journal


@pytest.mark.parametrize("text", ["file;label\nphotos/fox/a.jpg;fox\n", 'file,label\nphotos/fox/a.jpg,"fox\n'])
def test_a_list_that_another_program_has_changed_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / JOURNAL_FILE).write_text(text)
    with pytest.raises(DataError, match=JOURNAL_FILE):
        read_journal(tmp_path / "photos")
