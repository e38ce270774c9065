"""What `scripts/fuzz.py` damages, and how."""
