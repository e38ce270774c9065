"""A generation joins its lineage: planned, assessed, appended, or kept until the store answers."""
