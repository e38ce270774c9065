"""Genetics of a lineage: inbreeding, migration, purging and pedigrees; how they are estimated, and what follows."""
