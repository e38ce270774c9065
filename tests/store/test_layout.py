import json
import math
import posixpath
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.records import Severity
from collapse_guard.store.base import from_text
from collapse_guard.store.mlflow import layout


def test_metrics_are_the_finite_readings_by_family_with_severity_and_real_share(make):
    item = make(index=2, severity=Severity.UNDECIDED, real=0.25, vendi=math.nan, distinct_2=math.inf)
    assert layout.metrics(item) == {
        "likelihood/perplexity": 577.9,
        "tails/rare_coverage": 0.201,
        "collapse_guard/severity": 2.0,
        "collapse_guard/real_fraction": 0.25,
    }
    assert layout.tags(item)["collapse_guard.not_a_number"] == "distinct_2,vendi"


PLAIN = re.compile(r"[A-Za-z0-9_/. -]+")
"""What Lightning's MLFlowLogger leaves of the key of a metric."""


@pytest.mark.parametrize(
    "name", ["newsbot", "Newsbot 2", "gpt-4.1_small", " padded ", "_x", "a_x0431_", "...", "бот", "日本語"]
)
def test_the_key_of_a_lineage_is_plain_and_taken_by_mlflow(name):
    key = layout.metric_name(name)
    assert PLAIN.fullmatch(key)
    assert posixpath.normpath(f"{key}/likelihood/perplexity") == f"{key}/likelihood/perplexity"
    assert (key == name) == (name in ("newsbot", "Newsbot 2", "gpt-4.1_small", " padded "))


NAMES = st.text(st.characters(exclude_characters="/\\'\"`", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200)
TRICKY = st.lists(
    st.sampled_from(["_", "x", "_x", "0431", "_x0431_", "б", "_x005f_", ".", " "]), min_size=1, max_size=40
)


@given(st.lists(NAMES | TRICKY.map("".join), min_size=2, max_size=8, unique=True))
def test_two_names_never_share_a_key(names):
    keys = [layout.metric_name(name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(PLAIN.fullmatch(key) and len(key) <= 160 for key in keys)


@given(NAMES.filter(lambda name: len(layout.metric_name(name)) <= 160) | TRICKY.map("".join))
def test_a_key_that_was_not_cut_says_the_name(name):
    key = layout.metric_name(name)
    if "/" not in key:
        spelt = re.sub(r"_x([0-9a-f]+)_", lambda found: bytes.fromhex(found[1]).decode("utf-16-be"), key)
        assert spelt == name


def test_a_long_name_is_cut_and_told_from_one_that_begins_like_it():
    one, other = (layout.metric_name("новости " * 20 + end) for end in "ab")
    assert one != other
    assert one.partition("/")[0] == other.partition("/")[0]


def test_tags_name_the_generation_and_fit_the_limit_of_mlflow(make):
    item = make(index=3, severity=Severity.COLLAPSED, real=0.3, sentence="x" * 9000)
    tags = layout.tags(item)
    assert tags["collapse_guard.reasons"] == "x" * 7999 + "…"
    assert tags | {"collapse_guard.reasons": ""} == {
        "collapse_guard.kind": "generation",
        "collapse_guard.lineage": "newsbot",
        "collapse_guard.generation": "000003",
        "collapse_guard.founder": "000000",
        "collapse_guard.parents": "2",
        "collapse_guard.verdict": "COLLAPSED",
        "collapse_guard.reasons": "",
        "collapse_guard.wild_type": "9f2c4be0d17a44e1a6b8c0d2e4f60718",
        "collapse_guard.policy": "5d1e0c9a",
        "collapse_guard.real_fraction": "0.3",
    }


def test_what_is_not_known_has_no_tag_and_no_metric_and_no_dataset(make):
    item = make(real=None)
    assert "collapse_guard.real_fraction" not in layout.tags(item)
    assert "collapse_guard/real_fraction" not in layout.metrics(item)
    assert [entry.name for entry in layout.datasets(item)] == ["wild type"]


def test_the_training_mixture_is_identified_by_what_it_is(make):
    founder, child, other = make(), make(index=1), make(index=1, real=0.5)
    digests = [
        layout.datasets(item)[1].digest for item in (founder, child, other, make(index=1, severity=Severity.WATCH))
    ]
    assert len(set(digests)) == 3
    assert digests[3] == digests[1]
    assert all(len(digest) <= 36 for digest in digests)


def test_the_files_hold_the_whole_record_and_what_people_read(make):
    item = make(vendi=math.nan)
    files = layout.files(item)
    assert from_text(files["assessment.json"], lineage="newsbot", index=0, where="").to_dict() == item.to_dict()
    assert json.loads(files["verdict.json"]) == item.verdict.to_dict()
    reading = json.loads(files["readings.json"])["vendi"]
    assert (reading["value"], reading["n"], reading["problem"]) == ("NaN", 400, "the model overflowed")
    assert "replicates" not in reading
