"""Colours that can be read: the contrast formula of WCAG 2.2, written out."""

import pytest

from collapse_guard.records import Severity
from collapse_guard.report.palette import INKS, LINEAGES, MUTED, PAPER, SEVERITIES, TEXT, lineage_look

READ = [TEXT, MUTED, *(look.ink for look in SEVERITIES.values()), *(look.ink for look in LINEAGES)]


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_the_contrast_formula_knows_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("ink", READ, ids=lambda ink: ink.name)
def test_what_is_read_stands_out_from_its_paper_in_both_schemes(ink):
    assert contrast(ink.light, PAPER.light) >= 4.5
    assert contrast(ink.dark, PAPER.dark) >= 4.5


def test_no_two_inks_share_a_name_or_a_colour():
    assert len({ink.name for ink in INKS}) == len({ink.light for ink in INKS}) == len(INKS)


def test_every_severity_has_a_look_and_a_mark_of_its_own():
    assert list(SEVERITIES) == list(Severity)
    assert len({look.mark for look in SEVERITIES.values()}) == len(Severity)


def test_the_looks_of_lineages_repeat_after_the_last():
    assert lineage_look(0) is lineage_look(len(LINEAGES)) is LINEAGES[0]
