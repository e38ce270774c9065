"""The main job end to end on real text: one lineage is retrained on its own output, another is guarded.

Everything is real: State of the Union speeches, a causal language model trained with Lightning, CollapseGuard, MLflow.
"""
