"""Tests of what a model can do with long contexts: scores with intervals, from runs that can be stopped and gone on."""
