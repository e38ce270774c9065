"""The example that people copy trains and is assessed, on documents of one's own."""

import runpy
from pathlib import Path

import pytest

from tiny_models import language

EXAMPLE = Path(__file__).parents[2] / "examples" / "hugging_face.py"


@pytest.mark.slow
def test_documents_of_ones_own_give_a_lineage_with_a_founder(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = runpy.run_path(str(EXAMPLE), run_name="example")["train"]
    with pytest.warns(match="the founder is far from the wild type"):  # after two steps
        assert "(generation 0 of newsbot)" in str(train(language(1500), steps=2, store=store))
    [founder] = store.history("newsbot")
    assert {"perplexity", "tail_loss", "distinct_2", "rare_coverage", "vendi"} <= founder.readings.keys()
    assert founder.readings["distinct_2"].is_usable
