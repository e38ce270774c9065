"""The shell for Hugging Face's `Trainer`: the only room that imports transformers, which an extra brings along."""

try:
    from collapse_guard.transformers.callback import CollapseGuardCallback
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    advice = 'pip install "collapse-guard[transformers]", or "collapse-guard[trl]" to train with TRL'
    raise ModuleNotFoundError(f"transformers is not installed: {advice}", name=error.name) from error

__all__ = ["CollapseGuardCallback"]
