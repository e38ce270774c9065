"""From evidence to readings, with the frozen instruments of a wild type."""
