"""The command line: what is asked for, in a few lines each."""
