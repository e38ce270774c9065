"""Real text: read from files, held in memory, told apart from near duplicates, and turned into vectors."""
