"""Tests of what a model can do with long contexts. They give scores with intervals; a stopped test can be resumed."""
