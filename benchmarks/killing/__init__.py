"""What killed.py kills, where, and what must have come of it."""
