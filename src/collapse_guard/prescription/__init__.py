"""The outlook of a lineage, and how much real data its next generation needs."""
