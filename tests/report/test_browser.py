"""The page in a real browser: headless Chromium reads it, and the verdicts can be seen in both schemes."""

import html as escaping
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from collapse_guard.records import Reason, ReasonKind, Severity
from collapse_guard.report import html
from collapse_guard.report.palette import PAPER, SEVERITIES
from waiting import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page was NOT looked at in a browser")

# A frame in a process of its own may be painted after the screenshot is taken.
IN_PROCESS = "--disable-features=IsolateSandboxedIframes"
DARK = "--blink-settings=preferredColorScheme=0"
ALONE = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture
def browse(tmp_path):
    def run(source, *flags):
        page = tmp_path / "page.html"
        page.write_text(source, encoding="utf-8")
        command = [CHROMIUM, *ALONE]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,900", *flags, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    return run


@pytest.fixture
def look(browse, tmp_path):
    def shoot(source, *flags):
        picture = tmp_path / "page.png"
        browse(source, f"--screenshot={picture}", *flags)
        return (imread(picture)[:, :, :3] * 255).round().astype(int)

    return shoot


def pixels_of(picture, colour):
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(picture - wanted).max(axis=2) <= 2).sum())


@pytest.fixture(scope="module")
def page(histories):
    return html(histories, title="safe")


@pytest.mark.slow
def test_the_browser_shows_both_verdicts(browse, page):
    dom = browse(page, "--dump-dom")
    assert 'demo-replace</a> <span class="badge collapsed">' in " ".join(dom.split())
    assert 'demo-guarded</a> <span class="badge healthy">' in " ".join(dom.split())
    assert dom.count("<figure") == 8


def test_a_hostile_name_runs_nothing(browse, build):
    evil = "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    reason = Reason(kind=ReasonKind.BEYOND_MARGIN, severity=Severity.COLLAPSED, indicator=evil, sentence=evil)
    dom = browse(html({evil: [build("x", 0, {}, reasons=[reason])]}, title="safe"), "--dump-dom")
    assert "<title>safe · collapse_guard</title>" in dom
    assert "<img" not in dom


@pytest.mark.slow
def test_the_policy_of_the_page_stops_a_script_that_got_in(browse, page):
    source = page.replace("</main>", "<script>document.title='pwned'</script></main>")
    assert "<title>safe · collapse_guard</title>" in browse(source, "--dump-dom")
    without = source.replace("Content-Security-Policy", "X-Nothing")
    assert "<title>pwned</title>" in browse(without, "--dump-dom")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_verdicts_are_visible_in_both_schemes(look, page, scheme):
    picture = look(page, *([DARK] if scheme == "dark" else []))
    assert pixels_of(picture, getattr(PAPER, scheme)) > 100_000
    for severity in (Severity.COLLAPSED, Severity.HEALTHY):
        assert pixels_of(picture, getattr(SEVERITIES[severity].ink, scheme)) > 1_000


def test_the_page_shows_inside_a_sandboxed_frame(look, page):
    frame = f'<iframe sandbox="allow-scripts" width="1190" height="880" srcdoc="{escaping.escape(page)}">'
    picture = look(f"<!doctype html>{frame}</iframe>", IN_PROCESS)
    assert pixels_of(picture, SEVERITIES[Severity.COLLAPSED].ink.light) > 1_000
