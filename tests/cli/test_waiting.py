"""Who waits at a terminal sees what is done and how far it is; a pipe gets nothing of it."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from collapse_guard.cli.waiting import Wait, waiting
from collapse_guard.corpus.files import TextFiles


@pytest.fixture
def shown():
    return io.StringIO()


@pytest.fixture
def progress(shown):
    with Progress(console=Console(file=shown, force_terminal=True, width=100)) as progress:
        yield progress


def test_a_pass_is_named_counted_and_gives_the_texts_as_they_are(progress, shown):
    texts = [f"text {i}" for i in range(1200)]
    passed = []
    for number, text in enumerate(Wait(progress).watch("counting words", iter(texts), len(texts))):
        passed.append(text)
        if number == 600:
            [task] = progress.tasks
            assert (task.description, task.completed, task.total) == ("counting words", 500, 1200)
            progress.refresh()
    assert passed == texts
    assert progress.tasks == []
    assert "counting words" in shown.getvalue()


def test_reading_is_counted_in_the_bytes_of_the_files(progress, tmp_path):
    path = tmp_path / "real.txt"
    path.write_text("a document of many words\n\n" * 1000)
    reading = Wait(progress).read(("a document of many words" for _ in range(1000)), TextFiles.of([path]))
    assert len([next(reading) for _ in range(501)]) == 501
    [task] = progress.tasks
    assert task.total == path.stat().st_size
    assert 0.4 < task.completed / task.total < 0.6


def test_a_pipe_gets_nothing(capsys):
    with waiting() as wait:
        wait.for_the_rest("writing")
        assert list(wait.watch("counting", ["a", "b"], 2)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")
