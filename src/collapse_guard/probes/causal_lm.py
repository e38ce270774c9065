"""The probe for causal language models: losses on the wild type's evaluation documents, and samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from collapse_guard.arguments import whole
from collapse_guard.decision.policy import DECIDES
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.probes.caching import cached_step
from collapse_guard.probes.causality import check_causal, trial_rows
from collapse_guard.probes.cost import Cost, Price, part
from collapse_guard.probes.decoding import Decoding, Step
from collapse_guard.probes.forward import Forward, Logits, device_of
from collapse_guard.probes.founder import check_apart, check_founder
from collapse_guard.probes.isolation import placed, untouched
from collapse_guard.probes.model_settings import settings_of
from collapse_guard.probes.rehearsal import N_TRIED, Rehearsal
from collapse_guard.probes.scoring import Document, score
from collapse_guard.probes.sharding import merge
from collapse_guard.probes.shortage import fewest_samples
from collapse_guard.probes.tokenizers import Codec
from collapse_guard.probes.weights import is_sharded
from collapse_guard.probes.writing import Generate, Writer
from collapse_guard.wildtype import WildType

N_LENGTHS = 100
"""Evaluation documents that tell how long samples will be."""


class CausalLMProbe:
    """Collects evidence from a causal language model: losses on the wild type's evaluation documents, and samples.

    The samples are scored too: under the module itself (own_perplexity) and, if given, under the founder
    (founder_perplexity). They are scored as the drawn ids, after their prompts, under the whole distribution for any
    decoding. The end of a sample is not scored, and samples without tokens are left out. Their prompts are evidence
    too, and, where the tokenizer has an id that ends a sample, so is which of them came to `max_new_tokens` without it.

    Where a batch does not fit into memory, half of it is tried, down to a single sample or window. The losses are those
    of the smaller batch size, and the samples are drawn with the same random numbers: they differ by rounding only.

    The module is any `nn.Module` whose forward(ids), ids (B, T) int64, returns next-token logits (B, T, V), an object
    with `.logits` as Hugging Face models return, or a tuple that holds them; any other with `logits=`. It must not look
    ahead: that is tried out. Samples are drawn fast where it has `generate_step` (see `decoding.generate`), or is or
    wraps a model with a cache of Hugging Face's form that gives the same logits; else its forward runs on the whole
    prefix for every token. The evidence is the same for any number of ranks; so are, up to rounding, the losses for any
    batch size. Ranks of sharded modules must all do the whole (`weights.is_sharded`); they forward equally often then.

    Args:
        tokenizer: The model's: a `tokenizers.Tokenizer`, a Hugging Face one, or a function from a text to ids
            (`tokenizers.Codec`); never changed. Ids that it does not know are U+FFFD in samples, with a warning.
        decode: Function from a list of ids to a text; None: the tokenizer's.
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
        eos_token_id: Id, or several, that end a sample; None: the tokenizer's, if it has one.
        n_documents: Number of evaluation documents to score, from the first; None: all; 0: none.
        score_samples: Whether the module scores its own samples, which costs one more forward over them: little beside
            drawing them, which takes one for every token.
        founder: The model of generation 0, of the same tokenizer, which scores the samples at the same cost; None: no
            founder_perplexity. It is kept here and nowhere else, in particular not as a part of the module in
            training, and left as it was; it must have weights of its own. One on the CPU is moved to the module's
            device while it is measured.
        logits: logits(module, ids) returns what a forward would, for any module and for the founder; None: their
            forward(ids).
        generate: generate(module, prompts, seed) returns for each of up to `batch_size` prompts the text that continues
            it, without the prompt: beams, penalties, another engine. It decodes by itself and bounds the length. Its
            texts are encoded again to be scored. None: tokens are drawn here.

    Raises:
        InputError: An argument is out of range, or the tokenizer is not supported.
    """

    kind = "text"
    """Kind of wild type that the evidence is for."""

    def __init__(
        self,
        tokenizer: Any,
        decode: Callable[[list[int]], str] | None = None,
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
        eos_token_id: int | Sequence[int] | None = None,
        n_documents: int | None = None,
        score_samples: bool = True,
        founder: nn.Module | None = None,
        logits: Logits | None = None,
        generate: Generate | None = None,
    ) -> None:
        whole("n_documents", n_documents or 0, least=0)
        if n_samples == 0 and n_documents == 0:
            raise InputError(
                "`n_samples` or `n_documents` must be positive, but got 0 and 0: there would be no evidence"
            )
        check_founder(founder, n_samples)
        self.writer = Writer(
            codec=Codec(tokenizer, decode, bos_token_id=bos_token_id, eos_token_id=eos_token_id),
            forward=Forward(logits),
            decoding=Decoding(temperature=temperature, top_k=top_k, top_p=top_p),
            generate=generate,
            prompts=prompts if prompts is None or isinstance(prompts, str) else [*prompts],
            n_samples=n_samples,
            batch_size=batch_size,
            max_new_tokens=max_new_tokens,
            max_length=max_length,
        )
        self.n_documents, self.score_samples, self.founder = n_documents, score_samples, founder

    @classmethod
    def from_model(
        cls,
        model: nn.Module,
        tokenizer: Any,
        *,
        logits: Logits | None = None,
        generate: Generate | None = None,
        **settings: Any,
    ) -> Self:
        """A probe with the settings that a model has: its positions, how its texts begin and end, and its decoding.

        Read are the positions (1,024 at most) as `max_length`, `bos_token_id` and `eos_token_id`, of which the model
        may have several, and, where the generation config has `do_sample=True`, temperature, top-k and top-p as Hugging
        Face's `generate` would take them. Otherwise tokens are drawn from the whole distribution. What the generation
        config asks for besides, such as beams and penalties, is not taken, and a warning names it.

        Args:
            model: Of Hugging Face, or any module with such attributes on itself or on its `config`; it is not kept.
            tokenizer: As in `CausalLMProbe`.
            logits: As in `CausalLMProbe`.
            generate: As in `CausalLMProbe`.
            settings: Of `CausalLMProbe`; what is given here is not read from the model.

        Raises:
            InputError: As in `CausalLMProbe`.

        Example:
            >>> model = nn.Embedding(300, 300)
            >>> model.block_size = 128
            >>> letters = lambda text: list(text.encode())
            >>> CausalLMProbe.from_model(model, letters, decode=bytes, bos_token_id=256).writer.max_length
            128
        """
        found = settings_of(model, tokenizer, decodes=generate is None)
        return cls(tokenizer, logits=logits, generate=generate, **{**found, **settings})

    def collect(
        self, module: nn.Module, wild_type: WildType, *, seed: int, rank: int = 0, world_size: int = 1
    ) -> Evidence:
        """Collect this rank's part; without ranks, all of it. Leaves the module and all random states as they were.

        Raises:
            InputError: The wild type is not of text, the module does not return logits or looks ahead, or the founder
                shares weights with it.
        """
        self._check_kind(wild_type)
        documents = self._documents(wild_type)[rank::world_size]
        if self.founder is not None:
            check_apart(self.founder, module)
        with untouched(module):
            step = self._checked(module, wild_type)
            with part("scoring documents"):
                losses = None if self.n_documents == 0 else self._score(module, documents)
            if not self.writer.n_samples:
                return Evidence(losses=losses)
            place = {"rank": rank, "world_size": world_size}
            with part("drawing samples"):
                samples = list(self.writer.samples(module, seed=seed, step=step, **place))
            scored = [sample.scored for sample in samples if sample.scored.tokens]
            evidence = Evidence(
                losses=losses,
                samples=[sample.text for sample in samples],
                prompts=self.writer.prompts_of([int(sample.scored.id) for sample in samples]),
                truncated=self.writer.truncated(samples),
                own_losses=self._at_itself(module, scored),
                founder_losses=self._at_founder(scored, device_of(module)),
            )
        self.writer.tell_unknown(samples)
        return evidence

    def text_of(self, ids: Sequence[int]) -> str:
        """Text of ids, as a guard needs it that reads training batches."""
        return self.writer.codec.decode(ids)

    def merge(self, parts: Sequence[Evidence]) -> Evidence:
        """Join the parts of all ranks, in the order in which a single rank would have collected them."""
        return merge(parts, samples=self.writer.batch_size, documents=1)

    @property
    def n_samples(self) -> int:
        """Samples that it draws."""
        return self.writer.n_samples

    def with_samples(self, n: int) -> Self:
        """The same probe, with so many samples."""
        sized = copy(self)
        sized.writer = replace(self.writer, n_samples=n)
        return sized

    def price(self, module: nn.Module, wild_type: WildType) -> Price:
        """Seconds of one process for its documents and for each sample, found out by a batch of each.

        Leaves no trace. The samples of a model that is not trained yet are longer than later ones, if anything.

        Args:
            module: As in `collect`.
            wild_type: As in `collect`.
        """
        size, cost = self.writer.batch_size, Cost()
        n_documents = len(wild_type.evaluation.texts[: self.n_documents])
        few = self.with_samples(min(size, self.n_samples))
        few.n_documents = min(size, n_documents)
        with cost.counting(), cost.of("the rest"):
            few.collect(module, wild_type, seed=0)
        documents, rest = (cost.parts[name].seconds for name in ("scoring documents", "the rest"))
        samples = cost.total.seconds - documents - rest
        return Price(
            once=rest + documents * n_documents / max(1, few.n_documents), sample=samples / max(1, few.n_samples)
        )

    def fewest(self, wild_type: WildType, *, decides: Collection[str] = DECIDES) -> int:
        """Samples that some indicators need to decide, with as many again to spare: as long as real texts, or cut."""
        texts = wild_type.evaluation.texts[:N_LENGTHS]
        n_ids = [len(self.writer.codec.encode(text)) for text in texts]
        each = float(np.mean([min(n, self.writer.max_new_tokens) for n in n_ids]))
        tokens, words = (
            max(1.0, each * sum(units) / max(1, sum(n_ids)))
            for units in (map(len, wild_type.encode(texts)), (len(wild_type.words(text)) for text in texts))
        )
        return fewest_samples(wild_type, decides, tokens=tokens, words=words)

    def rehearse(self, module: nn.Module, wild_type: WildType, *, decides: Collection[str] = DECIDES) -> list[str]:
        """Every obstacle to `collect` that is known before training, with the one change that cures it.

        A few forwards of two rows, one of the longest documents, and two samples. Leaves no trace.

        Args:
            module: As in `collect`.
            wild_type: As in `collect`.
            decides: Names of the indicators that decide, for which the samples must be enough.

        Returns:
            Sentences; empty where nothing is in the way.
        """
        try:
            self._check_kind(wild_type)
        except InputError as error:
            return [str(error)]
        rehearsal = Rehearsal(
            writer=self.writer, n_documents=self.n_documents, asks_module=self._asks_module, founder=self.founder
        )
        return rehearsal.obstacles(module, wild_type, decides)

    @property
    def _asks_module(self) -> bool:
        """Whether the module is asked for logits."""
        return self.n_documents != 0 or self.score_samples or self.writer.generate is None

    def _check_kind(self, wild_type: WildType) -> None:
        if wild_type.kind != self.kind:
            raise InputError(f"`wild_type` must be of text, but got one of {wild_type.kind}: use an EmbeddingProbe")

    def _checked(self, module: nn.Module, wild_type: WildType) -> Step | None:
        """The step of its cache, if it has one; raises InputError where the module looks ahead."""
        codec, writer = self.writer.codec, self.writer
        if not self._asks_module:
            return None
        ids = [codec.encode(text) for text in wild_type.evaluation.texts[:N_TRIED]]
        longest = min(writer.max_length, max(writer.longest, *map(len, ids if self.n_documents != 0 else [[]])))
        rows = trial_rows([id_ for document in ids for id_ in document], bos=codec.bos, longest=longest)
        logits = None if rows is None else check_causal(module, writer.forward, rows)
        is_stepped = writer.n_samples and writer.generate is None and not hasattr(module, "generate_step")
        if rows is None or logits is None or not is_stepped or is_sharded(module):
            return None
        return cached_step(module, logits, [*rows[:2]])

    def _documents(self, wild_type: WildType) -> list[Document]:
        """The evaluation documents that encode to anything."""
        evaluation = wild_type.evaluation
        identified = zip(evaluation.hashes[: self.n_documents], evaluation.texts[: self.n_documents], strict=True)
        documents = (
            Document(id=id_, tokens=self.writer.codec.encode(text), n_bytes=len(text.encode()))
            for id_, text in identified
        )
        return [document for document in documents if document.tokens]

    def _score(self, module: nn.Module, documents: Sequence[Document]) -> Losses:
        writer = self.writer
        return score(
            module,
            documents,
            bos=writer.codec.bos,
            max_length=writer.max_length,
            batch_size=writer.batch_size,
            forward=writer.forward,
        )

    def _at_itself(self, module: nn.Module, samples: Sequence[Document]) -> Losses | None:
        if not self.score_samples:
            return None
        with part("scoring samples"):
            return _sums_of(self._score(module, samples))

    def _at_founder(self, samples: Sequence[Document], device: torch.device) -> Losses | None:
        if self.founder is None:
            return None
        with part("scoring samples"), placed(self.founder, device), untouched(self.founder):
            return _sums_of(self._score(self.founder, samples))


def _sums_of(losses: Losses) -> Losses:
    """The losses without those of single tokens, which nothing reads of samples."""
    return replace(losses, token_nll=None)
