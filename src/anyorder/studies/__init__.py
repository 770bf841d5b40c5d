"""Arms, levels and seeds compared: what is run, where, and what was found."""
