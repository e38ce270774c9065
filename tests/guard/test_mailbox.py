"""What a process that was started to train tells the process that started it."""

import multiprocessing
import tempfile

import pytest

from building import make_assessment
from collapse_guard.guard.mailbox import Mailbox
from collapse_guard.records import Assessment


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where boxes are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def leave(box, fields):
    box.leave(Assessment.from_dict(fields))
    assert box.take() is None  # it is for the process that made the box


def left_by_another(box, assessment):
    process = multiprocessing.get_context("fork").Process(target=leave, args=(box, assessment.to_dict()))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_is_taken_once_by_the_process_that_made_the_box(place):
    box, assessment = Mailbox(), make_assessment()
    left_by_another(box, assessment)
    assert box.take() == assessment
    assert box.take() is None
    assert list(place.iterdir()) == []


def test_is_the_newest(place):
    box, newest = Mailbox(), make_assessment(index=2)
    for assessment in (make_assessment(index=1), newest):
        left_by_another(box, assessment)
    assert box.take() == newest


def test_a_process_leaves_nothing_for_itself(place):
    box = Mailbox()
    box.leave(make_assessment())
    assert box.take() is None
    assert list(place.iterdir()) == []


def test_that_cannot_be_left_costs_nothing(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "nowhere"))
    box = Mailbox()
    left_by_another(box, make_assessment())
    assert box.take() is None
