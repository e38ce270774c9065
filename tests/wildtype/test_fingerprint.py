"""One corpus, one fingerprint, whatever its order, process or memory; anything else, another one."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.contents import fingerprint

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


def lengths(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), text.count("a")] for text in texts], dtype=np.float32)


@pytest.fixture(scope="module")
def variants(corpus: Corpus) -> dict[str, WildType]:
    """One wild type per setting, changed alone."""
    changes = {
        "seed": 4,
        "evaluation_fraction": 0.1,
        "max_evaluation_documents": 29,
        "n_folds": 5,
        "vocabulary_size": 300,
        "embedding_dim": 7,
        "group_tokens": 100,
        "group_samples": 10,
        "rare_share": 0.2,
        "near_duplicate_threshold": 1.0,
        "n_clusters": 5,
        "embedder": lengths,
    }
    base = {"seed": 3, "max_evaluation_documents": 30}
    return {name: WildType.fit(corpus(), **{**base, name: value}) for name, value in changes.items()}  # type: ignore[arg-type]


def test_the_same_documents_in_another_order_give_the_same_fingerprint(wild_type: WildType, corpus: Corpus) -> None:
    shuffled = corpus()
    np.random.default_rng(1).shuffle(shuffled)
    again = WildType.fit(iter(shuffled), seed=3, max_evaluation_documents=30)
    assert again.fingerprint == wild_type.fingerprint
    assert again.evaluation.texts == wild_type.evaluation.texts
    assert re.fullmatch("[0-9a-f]{32}", wild_type.fingerprint)


@pytest.mark.slow
def test_another_process_gives_the_same_fingerprint(tmp_path: Path, corpus: Corpus) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(corpus(60)), encoding="utf-8")
    code = (
        "import sys; from collapse_guard import WildType, read_documents;"
        "print(WildType.fit(read_documents(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "corpus.txt")]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2", "RAYON_NUM_THREADS": "1"}
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    assert found == WildType.fit(corpus(60)).fingerprint


def test_the_order_of_texts_that_differ_in_white_space_has_no_say(corpus: Corpus) -> None:
    texts = corpus(40)
    doubled = texts + [text.replace(" ", "  ") for text in texts]
    assert WildType.fit(doubled).fingerprint == WildType.fit(doubled[::-1]).fingerprint


def test_every_setting_is_in_the_fingerprint(wild_type: WildType, variants: dict[str, WildType]) -> None:
    prints = [wild_type.fingerprint, *(variant.fingerprint for variant in variants.values())]
    assert len(set(prints)) == len(prints)


def test_every_document_is_in_the_fingerprint(wild_type: WildType, corpus: Corpus) -> None:
    fewer = WildType.fit(corpus()[:-1], seed=3, max_evaluation_documents=30)
    assert fewer.fingerprint != wild_type.fingerprint


def test_looking_changes_nothing(corpus: Corpus) -> None:
    wild_type = WildType.fit(corpus(60))
    before = copy.deepcopy(wild_type)
    wild_type.encode(["some text"])
    wild_type.embed(["some text"])
    wild_type.check_training(["some text"])
    assert before.fingerprint == wild_type.fingerprint == fingerprint(wild_type.settings, wild_type.contents)
    with pytest.raises(TypeError, match="does not support item assignment"):
        wild_type.rare_words["war"] = 1  # type: ignore[index]
    with pytest.raises(AttributeError, match="cannot assign to field"):
        wild_type.fingerprint = "0" * 32  # type: ignore[misc]


def test_settings_that_are_read_back_after_every_change(variants: dict[str, WildType], tmp_path: Path) -> None:
    for name, variant in variants.items():
        loaded = WildType.load(variant.save(tmp_path / name))
        assert (loaded.settings, loaded.fingerprint) == (variant.settings, variant.fingerprint)
