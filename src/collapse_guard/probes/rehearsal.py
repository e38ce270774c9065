"""A rehearsal before training is paid for: every obstacle to measuring a language model, each with its one cure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from collapse_guard.probes.forward import device_of
from collapse_guard.probes.founder import check_apart
from collapse_guard.probes.isolation import placed, untouched
from collapse_guard.probes.shortage import too_few_documents, too_few_prompts, too_few_samples, too_few_tokens
from collapse_guard.probes.trial import Trial, failure_of
from collapse_guard.probes.writing import Writer
from collapse_guard.wildtype import WildType

N_TRIED = 8
"""Documents whose ids are tried before anything is measured."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What a probe will do, and a first try of it."""

    writer: Writer
    n_documents: int | None
    """Documents that are scored; None: all."""
    asks_module: bool
    """Whether the module is asked for logits."""
    founder: nn.Module | None

    def obstacles(self, module: nn.Module, wild_type: WildType, decides: Collection[str]) -> list[str]:
        """Every obstacle that a few forwards and two samples show. Leaves no trace."""
        ids, found = self._encoded(wild_type)
        if found:
            return found
        found += too_few_documents(wild_type, self.n_documents, decides)
        found += self._shortages(wild_type, ids[:N_TRIED], decides)
        if self.founder is not None:
            found += failure_of(partial(check_apart, self.founder, module), "`founder`", "load another one")
        trial = self._trial(ids)
        with untouched(module):
            fails = trial.obstacles(module) if self.asks_module else []
            found += fails
            if self.writer.n_samples and not fails:
                what = "drawing samples" if self.writer.generate is None else "`generate(module, prompts, seed)`"
                found += failure_of(partial(self.writer.try_two, module), what, "mend it")
            if self.founder is not None:
                with placed(self.founder, device_of(module)), untouched(self.founder):
                    found += [f"`founder`: {why}" for why in trial.obstacles(self.founder)]
        return found

    def _encoded(self, wild_type: WildType) -> tuple[list[list[int]], list[str]]:
        """Ids of the documents that are scored, or of some where none is; and why one cannot be encoded."""
        ids: list[list[int]] = []
        encode = self.writer.codec.encode
        for text in wild_type.evaluation.texts[: N_TRIED if self.n_documents == 0 else self.n_documents]:
            what, cure = f"encoding evaluation document {len(ids)}", "have the tokenizer encode any text"
            failure = failure_of(lambda: ids.append(encode(text)), what, cure)  # noqa: B023  # called here
            if failure:
                return ids, failure
        return ids, []

    def _trial(self, ids: Sequence[Sequence[int]]) -> Trial:
        writer = self.writer
        return Trial(
            forward=writer.forward,
            tokens=[id_ for document in ids[:N_TRIED] for id_ in document],
            bos=writer.codec.bos,
            largest=max(id_ for document in (*ids, *writer.starts) for id_ in document),
            longest=max(writer.longest, *map(len, ids if self.n_documents != 0 else [[]])),
            max_length=writer.max_length,
        )

    def _shortages(self, wild_type: WildType, ids: Sequence[Sequence[int]], decides: Collection[str]) -> list[str]:
        """Why the samples are too few, in documents whose ids are given."""
        writer, n_ids = self.writer, sum(map(len, ids))
        if not writer.n_samples:
            return []
        found = too_few_samples(wild_type, writer.n_samples, decides)
        if writer.prompts is not None:
            found += too_few_prompts(wild_type, writer.n_samples, len(writer.prompts), decides)
        if found or writer.generate is not None or not n_ids:
            return found
        tokens = wild_type.encode(wild_type.evaluation.texts[: len(ids)])
        return too_few_tokens(
            wild_type, writer.n_samples, writer.max_new_tokens, sum(map(len, tokens)) / n_ids, decides
        )
