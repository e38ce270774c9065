"""Forecasts and prescriptions, scored: against lineages that went on, and against lineages that took what was asked."""
