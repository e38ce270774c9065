"""Which real documents to re-inject, and whether to curate samples: lineages grown in every way, and compared."""
