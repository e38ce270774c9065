"""collapse_guard: the instrument for model collapse.

Measure every generation of a retrained generative model against frozen real data, decide whether diversity is leaking
away, gate retraining, and re-inject real data. Names are loaded when they are first used, so that importing the
package is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collapse_guard.assessment import assess as assess
    from collapse_guard.corpus.prompted import read_evidence as read_evidence
    from collapse_guard.corpus.reading import read_documents as read_documents
    from collapse_guard.corpus.reading import read_samples as read_samples
    from collapse_guard.decision.margins import Margin as Margin
    from collapse_guard.decision.policy import Policy as Policy
    from collapse_guard.errors import CollapsedError as CollapsedError
    from collapse_guard.errors import CollapseGuardError as CollapseGuardError
    from collapse_guard.errors import CollapseGuardWarning as CollapseGuardWarning
    from collapse_guard.errors import CorpusError as CorpusError
    from collapse_guard.errors import FingerprintMismatchError as FingerprintMismatchError
    from collapse_guard.errors import GenerationTakenError as GenerationTakenError
    from collapse_guard.errors import InputError as InputError
    from collapse_guard.errors import LineageError as LineageError
    from collapse_guard.errors import LineageNotFoundError as LineageNotFoundError
    from collapse_guard.errors import PolicyError as PolicyError
    from collapse_guard.errors import StoreUnreachableError as StoreUnreachableError
    from collapse_guard.errors import WildTypeError as WildTypeError
    from collapse_guard.evidence import Evidence as Evidence
    from collapse_guard.evidence import Losses as Losses
    from collapse_guard.guard import Guard as Guard
    from collapse_guard.indicators import Indicator as Indicator
    from collapse_guard.indicators import register as register
    from collapse_guard.lightning import CollapseGuard as CollapseGuard
    from collapse_guard.lightning import ReinjectionDataModule as ReinjectionDataModule
    from collapse_guard.probes import CausalLMProbe as CausalLMProbe
    from collapse_guard.probes import EmbeddingProbe as EmbeddingProbe
    from collapse_guard.probes import Probe as Probe
    from collapse_guard.records import Assessment as Assessment
    from collapse_guard.records import Generation as Generation
    from collapse_guard.records import Mixture as Mixture
    from collapse_guard.records import Severity as Severity
    from collapse_guard.records import Verdict as Verdict
    from collapse_guard.store import open_store as open_store
    from collapse_guard.wildtype import WildType as WildType

__version__ = "0.1.0"

_HOMES = {
    "Assessment": "records",
    "CausalLMProbe": "probes",
    "CollapseGuard": "lightning",
    "CollapseGuardError": "errors",
    "CollapseGuardWarning": "errors",
    "CollapsedError": "errors",
    "CorpusError": "errors",
    "EmbeddingProbe": "probes",
    "Evidence": "evidence",
    "FingerprintMismatchError": "errors",
    "Generation": "records",
    "GenerationTakenError": "errors",
    "Guard": "guard",
    "Indicator": "indicators",
    "InputError": "errors",
    "LineageError": "errors",
    "LineageNotFoundError": "errors",
    "Losses": "evidence",
    "Margin": "decision.margins",
    "Mixture": "records",
    "Policy": "decision.policy",
    "PolicyError": "errors",
    "Probe": "probes",
    "ReinjectionDataModule": "lightning",
    "Severity": "records",
    "StoreUnreachableError": "errors",
    "Verdict": "records",
    "WildType": "wildtype",
    "WildTypeError": "errors",
    "assess": "assessment",
    "open_store": "store",
    "read_documents": "corpus.reading",
    "read_evidence": "corpus.prompted",
    "read_samples": "corpus.reading",
    "register": "indicators",
}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    """Load a public name from its room on first use."""
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(sorted(_HOMES))}"
        )
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
