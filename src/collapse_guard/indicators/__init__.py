"""MEASURE: one file per family, each a pure function that holds the formula and a thin torchmetrics Metric over it.

`measure.measure` turns evidence into readings with the wild type's frozen instruments, `base.all_indicators` lists
the Metric classes, `catalogue.names` the names alone. Nothing is imported here: the catalogue must not cost an import
of torch.
"""
