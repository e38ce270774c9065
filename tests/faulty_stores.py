"""Stores that do what stores do on bad days: refuse, be late, or tell no more than they must."""

from collapse_guard.store import MemoryStore


class FaultyStore(MemoryStore):
    """Raises what it is told to, when a generation is appended or when the lineage is read."""

    def __init__(self, appending=None, reading=None):
        super().__init__()
        self.appending, self.reading = appending, reading
        self.attached = []

    def append(self, assessment):
        if self.appending:
            raise self.appending
        super().append(assessment)

    def attach(self, lineage, index, attachments):
        self.attached.append(dict(attachments))
        super().attach(lineage, index, attachments)

    def history(self, lineage):
        if self.reading:
            raise self.reading
        return super().history(lineage)

    def has(self, lineage):
        return bool(self.reading) or super().has(lineage)


class ContestedStore(FaultyStore):
    """A store in which another process is faster: it appends what is in the queue, one before each append."""

    def __init__(self, *others):
        super().__init__()
        self.others = list(others)

    def append(self, assessment):
        if self.others:
            index = assessment.generation.index
            other = self.others.pop(0)
            place = other.generation.model_copy(update={"index": index, "parents": ()})
            verdict = other.verdict.model_copy(update={"generation": index})
            super().append(other.model_copy(update={"generation": place, "verdict": verdict}))
        super().append(assessment)


class AbridgingStore(FaultyStore):
    """A store whose ledger is as short as it may be."""

    def __init__(self):
        super().__init__()
        self.whole_reads = 0

    def history_so_far(self, lineage):
        self.whole_reads += 1
        return super().history_so_far(lineage)

    def ledger(self, lineage):
        history = super().ledger(lineage)
        return [*history[:1], *(past.abridged() for past in history[1:-1]), *history[1:][-1:]]
