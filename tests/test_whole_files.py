"""A file is there whole or as before: on a full disk, after a kill, behind a link, where it is no file at all."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from collapse_guard.errors import InputError
from collapse_guard.whole_files import append_whole, write_whole
from waiting import PATIENCE

START = """
import os, resource, signal, sys
from pathlib import Path
from collapse_guard.whole_files import append_whole, write_whole
path = Path(sys.argv[1])
"""


def in_a_process(code, path, **options):
    command = [sys.executable, "-c", START + code, str(path)]
    return subprocess.run(command, capture_output="stdout" not in options, timeout=PATIENCE, check=False, **options)


def test_a_new_file_has_the_rights_that_open_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "whole", [b"a", b"b"])
        (tmp_path / "opened").open("w").close()
    finally:
        os.umask(before)
    assert (tmp_path / "whole").read_bytes() == b"ab"
    assert (tmp_path / "whole").stat().st_mode == (tmp_path / "opened").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["opened", "whole"]


def test_an_old_file_keeps_its_rights_and_its_link(tmp_path):
    path, link = tmp_path / "report", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to("report")
    write_whole(link, [b"new"])
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_to_nothing_yet_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "report")
    write_whole(tmp_path / "link", [b"new"])
    assert (tmp_path / "report").read_text() == "new"


FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))\n"
WRITERS = {"write": "write_whole(path, [b'x' * 10_000])", "append": "append_whole(path, b'x' * 10_000)"}
writers = pytest.mark.parametrize("writer", WRITERS)


@writers
@pytest.mark.parametrize("old", [b"", b"before" * 500, None], ids=["empty", "long", "none"])
def test_a_file_that_there_is_no_room_for_is_as_before(tmp_path, writer, old):
    path = tmp_path / "report"
    if old is not None:
        path.write_bytes(old)
    done = in_a_process(FULL + WRITERS[writer], path)
    assert b"InputError" in done.stderr
    assert b"report' cannot be written: File too large" in done.stderr
    assert [file.read_bytes() for file in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_process_that_is_killed_while_it_writes_leaves_what_was_there(tmp_path):
    path = tmp_path / "report"
    path.write_text("old")
    done = in_a_process(
        """
def chunks():
    yield b"new" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

write_whole(path, chunks())
""",
        path,
    )
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert all(file.name.startswith(".") for file in tmp_path.iterdir() if file != path)


@writers
def test_a_device_that_is_full_is_said(writer):
    write = {"write": lambda path: write_whole(path, [b"x"]), "append": lambda path: append_whole(path, b"x")}[writer]
    with pytest.raises(InputError, match=r"'/dev/full' cannot be written: No space left on device: name another file"):
        write(Path("/dev/full"))


@writers
def test_what_is_written_to_standard_output_stands_between_what_is_printed(tmp_path, writer):
    out = tmp_path / "out"
    with out.open("w") as file:
        in_a_process(
            f"print('before')\n{WRITERS[writer].replace('10_000', '3')}\nprint(' after')", "/dev/stdout", stdout=file
        )
    assert out.read_text() == "before\nxxx after\n"


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    done = in_a_process(WRITERS["write"], "/dev/stdout")
    assert done.stdout == b"x" * 10_000


def as_nobody(*, folder_mode, mode):
    """What a user without any rights leaves of a file, and what is said."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report")
        path.write_text("old")
        path.chmod(mode)
        Path(folder).chmod(folder_mode)
        done = in_a_process(f"if os.getuid() == 0:\n    os.setuid(65534)\n{WRITERS['write']}", path)
        Path(folder).chmod(0o755)
        return done.stderr.decode(), path.read_text()


def test_a_file_that_may_be_written_in_a_directory_that_may_not_is_written():
    assert as_nobody(folder_mode=0o555, mode=0o666) == ("", "x" * 10_000)


def test_a_file_that_may_not_be_written_is_never_replaced():
    said, text = as_nobody(folder_mode=0o777, mode=0o444)
    assert text == "old"
    assert "report' cannot be written: Permission denied" in said
