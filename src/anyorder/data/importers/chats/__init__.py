"""Conversations as people have them: from files of any kind to trajectories of turns."""
