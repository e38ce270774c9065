"""Real text: documents from files, held in memory, with their words, near duplicates and vectors."""
