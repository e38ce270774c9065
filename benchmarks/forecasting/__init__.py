"""Scores of forecasts and prescriptions, on lineages that continued and on lineages that followed the prescription."""
