"""What is drawn: films, tiles, plots, tables of answers."""
