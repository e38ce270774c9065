"""The probe for causal language models: losses on the wild type's evaluation documents, and samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from collapse_guard.arguments import whole
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.probes.decoding import Decoding, generate
from collapse_guard.probes.isolation import placed, untouched
from collapse_guard.probes.memory import Fitting
from collapse_guard.probes.scoring import Document, device_of, score
from collapse_guard.probes.sharding import batch_generator, batches, merge
from collapse_guard.probes.tokenizers import Codec
from collapse_guard.wildtype import WildType


class CausalLMProbe:
    """Collects evidence from a causal language model: losses on the wild type's evaluation documents, and samples.

    The samples are scored too: under the module itself (own_perplexity) and, if given, under the founder
    (founder_perplexity). They are scored as the drawn ids, after their prompts, under the whole distribution for any
    decoding. The end of a sample is not scored, and samples without tokens are left out. Their prompts are evidence
    too, and, where the tokenizer has an id that ends a sample, so is which of them came to `max_new_tokens` without it.

    Where a batch does not fit into memory, half of it is tried, down to a single sample or window. The losses are those
    of the smaller batch size, and the samples are drawn with the same random numbers: they differ by rounding only.

    The module is any `nn.Module` whose forward(ids), ids (B, T) int64, returns next-token logits (B, T, V), or an
    object with `.logits` as Hugging Face models return. For fast sampling it may have `generate_step` (see
    `decoding.generate`); else its forward runs on the whole prefix for every token. The evidence is the same for any
    number of ranks; so are, up to rounding, the losses for any batch size. Sharded modules (FSDP), whose ranks must
    forward together, need a probe of their own.

    Args:
        tokenizer: The model's: a `tokenizers.Tokenizer` or a Hugging Face one (`tokenizing.Codec`); never changed.
        n_samples: Number of samples to draw; 0: none.
        max_new_tokens: Largest number of tokens of a sample.
        temperature: As in `sampling.Decoding`.
        top_k: As in `sampling.Decoding`.
        top_p: As in `sampling.Decoding`.
        prompts: Samples continue these in turn, and do not contain them; None: they start from nothing. Give the same
            ones in each generation, 20 or more, each for several samples (`docs/prompts.md`).
        batch_size: Most samples, or windows of documents, per forward. Samples depend on it, as on a seed.
        max_length: Largest number of ids per forward: longer documents are scored in windows, and longer prefixes lose
            their beginning.
        bos_token_id: Id that begins a document; None: the tokenizer's, else that of "<|bos|>".
        eos_token_id: Id that ends a sample; None: the tokenizer's, if it has one.
        n_documents: Number of evaluation documents to score, from the first; None: all; 0: none.
        score_samples: Whether the module scores its own samples, which costs one more forward over them: little beside
            drawing them, which takes one for every token.
        founder: The model of generation 0, of the same tokenizer, which scores the samples at the same cost; None: no
            founder_perplexity. It is kept here and nowhere else, in particular not as a part of the module in
            training, and left as it was. One on the CPU is moved to the module's device while it is measured.

    Raises:
        InputError: An argument is out of range, or the tokenizer is not supported.
    """

    kind = "text"
    """Kind of wild type that the evidence is for."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        n_samples: int = 2000,
        max_new_tokens: int = 64,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prompts: Sequence[str] | None = None,
        batch_size: int = 64,
        max_length: int = 256,
        bos_token_id: int | None = None,
        eos_token_id: int | None = None,
        n_documents: int | None = None,
        score_samples: bool = True,
        founder: nn.Module | None = None,
    ) -> None:
        whole("n_samples", n_samples, least=0)
        whole("max_new_tokens", max_new_tokens, least=1)
        whole("batch_size", batch_size, least=1)
        whole("max_length", max_length, least=1)
        whole("n_documents", n_documents or 0, least=0)
        if n_samples == 0 and n_documents == 0:
            raise InputError(
                "`n_samples` or `n_documents` must be positive, but got 0 and 0: there would be no evidence"
            )
        _check_founder(founder, n_samples)
        self.codec = Codec(tokenizer, bos_token_id=bos_token_id, eos_token_id=eos_token_id)
        self.decoding = Decoding(temperature=temperature, top_k=top_k, top_p=top_p)
        self.n_samples, self.max_new_tokens = n_samples, max_new_tokens
        self.batch_size, self.max_length, self.n_documents = batch_size, max_length, n_documents
        self.score_samples, self.founder = score_samples, founder
        self.prompts = None if prompts is None else [*_texts("prompts", prompts)]
        self._starts = [[self.codec.bos, *self.codec.encode(prompt)] for prompt in _texts("prompts", prompts)]

    def collect(
        self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int = 0, world_size: int = 1
    ) -> Evidence:
        """Collect this rank's part; without ranks, all of it. Leaves the module and all random states as they were.

        Raises:
            InputError: The wild type is not of text, or the module does not return logits.
        """
        if wild_type.kind != self.kind:
            raise InputError(f"`wild_type` must be of text, but got one of {wild_type.kind}: use an EmbeddingProbe")
        documents = self._documents(wild_type)[rank::world_size]
        with untouched(module):
            losses = None if self.n_documents == 0 else self._score(module, documents)
            if not self.n_samples:
                return Evidence(losses=losses)
            samples = list(self._samples(module, seed, rank, world_size))
            written = [sample for _, sample in samples if sample.tokens]
            return Evidence(
                losses=losses,
                samples=[text for text, _ in samples],
                prompts=self._prompts_of([sample for _, sample in samples]),
                truncated=self._truncated([sample for _, sample in samples]),
                own_losses=_sums_of(self._score(module, written)) if self.score_samples else None,
                founder_losses=self._at_founder(written, device_of(module)),
            )

    def merge(self, parts: Sequence[Evidence]) -> Evidence:
        """Join the parts of all ranks, in the order in which a single rank would have collected them."""
        return merge(parts, samples=self.batch_size, documents=1)

    def _documents(self, wild_type: WildType) -> list[Document]:
        """The evaluation documents that encode to anything."""
        evaluation = wild_type.evaluation
        identified = zip(evaluation.hashes[: self.n_documents], evaluation.texts[: self.n_documents], strict=True)
        documents = (
            Document(id=id_, tokens=self.codec.encode(text), n_bytes=len(text.encode())) for id_, text in identified
        )
        return [document for document in documents if document.tokens]

    def _score(self, module: nn.Module, documents: Sequence[Document]) -> Losses:
        return score(module, documents, bos=self.codec.bos, max_length=self.max_length, batch_size=self.batch_size)

    def _at_founder(self, samples: Sequence[Document], device: torch.device) -> Losses | None:
        if self.founder is None:
            return None
        with placed(self.founder, device), untouched(self.founder):
            return _sums_of(self._score(self.founder, samples))

    def _prompts_of(self, samples: Sequence[Document]) -> list[str] | None:
        """What each sample continues, which its number tells."""
        if self.prompts is None:
            return None
        return [self.prompts[int(sample.id) % len(self.prompts)] for sample in samples]

    def _truncated(self, samples: Sequence[Document]) -> list[bool] | None:
        """Whether each sample was cut; None where there is no id that would end one."""
        if self.codec.eos is None:
            return None
        return [len(sample.tokens) == self.max_new_tokens for sample in samples]

    def _samples(self, module: nn.Module, seed: int, rank: int, world_size: int) -> Iterator[tuple[str, Document]]:
        """Each sample as text, and as the ids to score, by its number among the samples of all ranks."""
        fitting = Fitting(self.batch_size)
        for number, size in batches(self.n_samples, self.batch_size, rank=rank, world_size=world_size):
            numbers = range(number * self.batch_size, number * self.batch_size + size)
            starts = [self._starts[sample % len(self._starts)] for sample in numbers]
            rows = fitting.run(partial(self._continued, module, starts, seed, number))
            for sample, start, ids in zip(numbers, starts, rows, strict=True):
                text = self.codec.decode(ids)
                yield text, Document(id=str(sample), tokens=ids, n_bytes=len(text.encode()), prompt=start[1:])

    def _continued(
        self, module: nn.Module, starts: Sequence[Sequence[int]], seed: int, number: int, at_once: int
    ) -> list[list[int]]:
        """The ids that continue each start, of at most `at_once` rows in a forward."""
        return generate(
            module,
            starts,
            max_new_tokens=self.max_new_tokens,
            decoding=self.decoding,
            generator=batch_generator(seed, number, device_of(module)),
            max_length=self.max_length,
            eos=self.codec.eos,
            at_once=at_once,
        )


def _texts(name: str, texts: Sequence[str] | None) -> Sequence[str]:
    """The texts, or one empty text for None."""
    if isinstance(texts, str) or (texts is not None and not texts):
        raise InputError(f"`{name}` must be a list with at least one text, or None, but got {texts!r:.80}")
    return [""] if texts is None else texts


def _sums_of(losses: Losses) -> Losses:
    """The losses without those of single tokens, which nothing reads of samples."""
    return replace(losses, token_nll=None)


def _check_founder(founder: nn.Module | None, n_samples: int) -> None:
    if founder is None:
        return
    if not isinstance(founder, nn.Module):
        raise InputError(f"`founder` must be an nn.Module, or None, but got {type(founder).__name__}: load it first")
    if n_samples == 0:
        raise InputError("`n_samples` must be positive with a `founder`, which scores the samples, but got 0: raise it")
