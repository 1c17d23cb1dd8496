"""Align causal language models on long contexts: packing with loss weighting, sorted or balanced batching."""

__version__ = "0.1.0"
