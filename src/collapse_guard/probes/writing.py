"""Writing: the samples of a language model, drawn token by token or written by a function of the user's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

from torch import nn

from collapse_guard.arguments import whole
from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.probes.decoding import Decoding, Step, generate
from collapse_guard.probes.forward import Forward, device_of
from collapse_guard.probes.isolation import seed_global_generators
from collapse_guard.probes.memory import fitting_of
from collapse_guard.probes.scoring import Document
from collapse_guard.probes.sharding import batch_generator, batches, mixed_seed
from collapse_guard.probes.tokenizers import UNKNOWN, Codec
from collapse_guard.probes.weights import is_sharded

Generate = Callable[[nn.Module, list[str], int], Sequence[str]]
"""generate(module, prompts, seed) -> for each prompt, the text that continues it, without the prompt."""


class Sample(NamedTuple):
    """A sample as text, and as what is scored of it: its number is the id."""

    text: str
    scored: Document


class Batch(NamedTuple):
    """Some of the samples: their number among the batches of all ranks, and their numbers among the samples."""

    number: int
    samples: range


@dataclass(frozen=True, kw_only=True)
class Writer:
    """How the samples of a language model come about, the same in each generation; arguments as in `CausalLMProbe`."""

    codec: Codec
    forward: Forward
    decoding: Decoding
    generate: Generate | None
    """The user's, which decodes by itself; None: tokens are drawn here."""
    prompts: Sequence[str] | None
    n_samples: int
    batch_size: int
    max_new_tokens: int
    max_length: int

    def __post_init__(self) -> None:
        """Refuse arguments that are out of range, and decoding that nothing would follow."""
        whole("n_samples", self.n_samples, least=0)
        whole("max_new_tokens", self.max_new_tokens, least=1)
        whole("batch_size", self.batch_size, least=1)
        whole("max_length", self.max_length, least=1)
        if isinstance(self.prompts, str) or (self.prompts is not None and not self.prompts):
            raise InputError(f"`prompts` must be a list with at least one text, or None, but got {self.prompts!r:.80}")
        if self.generate is not None and not callable(self.generate):
            raise InputError(
                "`generate` must be a function of (module, prompts, seed) that returns texts, or None, but got "
                f"{self.generate!r:.80}"
            )
        if self.generate is not None and self.decoding != Decoding():
            raise InputError(
                "`temperature`, `top_k` and `top_p` must not be given with `generate`, which decodes by itself, but "
                f"got {self.decoding}: set them there"
            )

    @cached_property
    def starts(self) -> list[list[int]]:
        """The ids that samples begin with, in turn."""
        return [[self.codec.bos, *self.codec.encode(prompt)] for prompt in self.prompts or [""]]

    @property
    def longest(self) -> int:
        """Most ids that a forward over a sample takes."""
        return max(map(len, self.starts)) + self.max_new_tokens - 1 if self.n_samples else 0

    def samples(
        self, module: nn.Module, *, seed: int, rank: int = 0, world_size: int = 1, step: Step | None = None
    ) -> Iterator[Sample]:
        """The samples of a rank; without ranks, all.

        Args:
            module: What writes, in eval mode and inside `untouched`.
            seed: Of the samples of all ranks.
            rank: This process.
            world_size: Number of processes.
            step: As in `decoding.generate`.
        """
        fitting = fitting_of(module, self.batch_size)
        for number, size in batches(self.n_samples, self.batch_size, rank=rank, world_size=world_size):
            batch = Batch(number, range(number * self.batch_size, number * self.batch_size + size))
            make = self._drawn if self.generate is None else self._written
            made = fitting.run(partial(make, module, batch, seed, step))
            for sample, (text, ids) in zip(batch.samples, made, strict=True):
                prompt = self.starts[sample % len(self.starts)][1:]
                yield Sample(text, Document(id=str(sample), tokens=ids, n_bytes=len(text.encode()), prompt=prompt))

    def try_two(self, module: nn.Module) -> None:
        """Make two samples of two tokens, as they will be made.

        Raises:
            InputError: The user's function does not return texts, or returns them behind their prompts.
        """
        two = replace(self, n_samples=min(2, self.n_samples), batch_size=2, max_new_tokens=min(2, self.max_new_tokens))
        texts = [sample.text for sample in two.samples(module, seed=0)]
        if self.generate is not None and all(map(_repeats, texts, self.prompts_of(range(len(texts))) or [""])):
            raise InputError(
                "`generate` must return what follows the prompts, but got texts that begin with them: cut them there"
            )

    def prompts_of(self, numbers: Sequence[int]) -> list[str] | None:
        """What samples continue, which their numbers tell."""
        return None if self.prompts is None else [self.prompts[number % len(self.prompts)] for number in numbers]

    def truncated(self, samples: Sequence[Sample]) -> list[bool] | None:
        """Whether each sample was cut; None where that is not known, or there is no id that would end one."""
        if self.generate is not None or not self.codec.stops:
            return None
        return [len(sample.scored.tokens) == self.max_new_tokens for sample in samples]

    def tell_unknown(self, samples: Sequence[Sample]) -> None:
        """Warn of ids that the tokenizer does not know, which a model may draw whose vocabulary is wider."""
        ids = [id_ for sample in samples for id_ in sample.scored.tokens]
        unknown = [id_ for id_ in ids if not self.codec.knows(id_)]
        if unknown:
            message = (
                f"{len(unknown):,} of {len(ids):,} ids of the samples are none of the tokenizer's, such as "
                f"{unknown[0]}: they are {UNKNOWN} in the texts. Give the tokenizer that the module is "
                "trained with, unless the module's vocabulary is only rounded up: then training makes this rare"
            )
            warnings.warn(message, CollapseGuardWarning, stacklevel=3)

    def _drawn(
        self, module: nn.Module, batch: Batch, seed: int, step: Step | None, at_once: int
    ) -> list[tuple[str, list[int]]]:
        """Text and ids of each sample of a batch, of at most `at_once` rows in a forward."""
        rows = generate(
            module,
            [self.starts[sample % len(self.starts)] for sample in batch.samples],
            max_new_tokens=self.max_new_tokens,
            decoding=self.decoding,
            generator=batch_generator(seed, batch.number, device_of(module)),
            max_length=self.max_length,
            stops=self.codec.stops,
            at_once=at_once,
            forward=self.forward,
            step=step,
            to_the_end=is_sharded(module),
        )
        return [(self.codec.decode(ids), ids) for ids in rows]

    def _written(
        self, module: nn.Module, batch: Batch, seed: int, _: Step | None, at_once: int
    ) -> list[tuple[str, list[int]]]:
        """Text and ids of each sample of a batch, of at most `at_once` prompts in a call of the user's function.

        Each call has a seed of its own, which the global generators are given too: a function that draws from these
        writes other samples for each batch, and the same ones again.
        """
        prompts = self.prompts_of(batch.samples) or [""] * len(batch.samples)
        texts: list[str] = []
        for start in range(0, len(prompts), at_once):
            part, own = prompts[start : start + at_once], mixed_seed(seed, batch.number, start)
            seed_global_generators(own)
            texts += _checked(self.generate(module, part, own), len(part))  # type: ignore[misc]
        return [(text, self.codec.encode(text)) for text in texts]


def _repeats(text: str, prompt: str) -> bool:
    """Whether a text begins with a prompt of several words, which no continuation does by chance."""
    return len(prompt.split()) > 2 and text.startswith(prompt)


def _checked(texts: object, n: int) -> Sequence[str]:
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"`generate` must return a list of texts, one for each prompt, but got {texts!r:.80}: mend it")
    if len(texts) != n:
        raise InputError(f"`generate` must return one text for each of {n} prompts, but got {len(texts)}: mend it")
    return texts
