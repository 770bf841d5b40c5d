"""Masked language models of transformers, trained on any order by means of two copies."""
