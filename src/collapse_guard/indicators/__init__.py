"""MEASURE: one file per family, each a pure function that holds the formula and a thin torchmetrics Metric over it.

`base.all_indicators` lists
the Metric classes, `registry.names` the names alone. Nothing is imported here: the catalogue must not cost an import
of torch.
"""
