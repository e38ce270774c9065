"""What samples are worth to whoever learns from them, where that is known: rows, texts, and openings of texts."""
