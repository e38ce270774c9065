"""PRESCRIBE: where a lineage goes, and how much real data the next generation needs."""
