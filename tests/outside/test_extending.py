"""The package of docs/extending.md, built from the page and installed: the doors are tried from outside."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
END = "\x1e"
pytestmark = pytest.mark.slow


class Block(NamedTuple):
    language: str
    title: str
    content: str


@pytest.fixture(scope="module")
def page():
    """The fenced blocks of the page, in order."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    fences = [token for token in MarkdownIt().parse(text) if token.type == "fence"]
    found = [(re.fullmatch(r'(\w+)(?: title="(.+)")?', fence.info), fence.content) for fence in fences]
    return [Block(match[1], match[2] or "", content) for match, content in found]


@pytest.fixture(scope="module")
def run(page, tmp_path_factory):
    """Runs a command in a directory that has the files of the page, with the package installed elsewhere."""
    place, site = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("site")
    project = tmp_path_factory.mktemp("project")
    for block in page:
        path = (project if block.title.startswith(("newsroom/", "pyproject")) else place) / block.title
        if block.title:
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.content, encoding="utf-8")
    (project / "newsroom" / "__init__.py").touch()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", site, project], check=True)
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT / 'src'}", "OMP_NUM_THREADS": "1"}

    def run(*command):
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)

    run.place = place
    return run


@pytest.fixture(scope="module")
def session(page, run):
    """What each block of code prints, where all run one after the other in a fresh process."""
    blocks = [block.content for block in page if block.language == "python" and not block.title]
    (run.place / "session.py").write_text("".join(f"{block}\nprint({END!r}, end='')\n" for block in blocks))
    done = run(sys.executable, "session.py")
    assert not done.returncode, done.stderr
    return done.stdout.split(END)[:-1]


def test_the_code_prints_what_stands_below_it(page, session):
    printed, expected = iter(session), []
    for block in page:
        if block.language == "python" and not block.title:
            expected.append("")
        elif block.language == "text":
            expected[-1] = block.content
    assert list(printed) == expected
    assert sum(map(bool, expected)) > 3


def test_the_package_passes_the_contracts(page, run):
    done = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "test_newsroom.py"
    )
    assert not done.returncode, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 25


def test_the_command_line_knows_the_indicator_and_the_store(page, run, session):
    (commands,) = (block.content.splitlines() for block in page if block.language == "sh")
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        done = run(Path(sys.executable).with_name(program), *arguments)
        code = re.search(r"# exit code (\d)", command)
        assert done.returncode == (int(code[1]) if code else 0), (command, done.stdout, done.stderr)
    assert "questions" in (run.place / "report.html").read_text(encoding="utf-8")
    records = sorted((run.place / "lineages").glob("*/*.json"))
    assert [record.stem for record in records] == ["000000", "000001", "000002"]
    assert all('"indicator": "questions"' in record.read_text(encoding="utf-8") for record in records)
