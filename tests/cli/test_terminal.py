"""What reaches a terminal or a pipe: nothing cut, nothing that steers it, no code changed by a reader that left."""

import io
import os

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from collapse_guard.cli import terminal as console
from collapse_guard.cli.terminal import output, printable, say, say_item


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


LONG = "a sentence of many words " * 40


def test_a_pipe_gets_one_whole_line_per_sentence(capsys):
    say(LONG)
    say_item(Text("*"), LONG)
    assert capsys.readouterr().out == f"{LONG}\n  * {LONG}\n"


def test_markup_of_users_is_not_markup(capsys):
    say("[red]x[/red] [/] :smile:")
    assert capsys.readouterr().out == "[red]x[/red] [/] :smile:\n"


@pytest.mark.parametrize("character", ["\x1b", "\x07", "\u202e", "\u2066", "\ud800", "\x9b", "\r"])
def test_what_steers_a_terminal_is_taken_out(character):
    assert character not in printable(f"a{character}b")


def test_tables_are_folded_and_never_cut(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    table = Table("what")
    table.add_column("why", overflow="fold")
    table.add_row("x" * 5, "abcdefghijklmnopqrstuvwxyz")
    output().print(table)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert set("abcdefghijklmnopqrstuvwxyz") <= set(shown)


def test_items_are_indented_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(Console, "is_terminal", True)
    say_item(Text("*"), LONG)
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("  * a sentence")
    assert len(others) > 10
    assert all(line.startswith("    ") and len(line) <= 40 for line in others)


def test_a_terminal_of_a_narrow_encoding_shows_a_question_mark(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", narrow)
    console.make_streams_forgiving()
    say("● HEALTHY")
    narrow.flush()
    assert narrow.buffer.getvalue() == b"? HEALTHY\n"


def test_a_reader_that_left_is_not_an_error(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        for _ in range(3):
            say("a line")
        pipe.flush()
