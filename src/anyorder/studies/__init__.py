"""Arms, levels and seeds compared: what is run, where, and what came of it."""
