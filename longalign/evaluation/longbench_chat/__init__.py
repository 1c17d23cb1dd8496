"""LongBench-Chat (Bai et al. 2024, section 4): answers about long documents, rated by a model that sees rated examples.

`cases` and `suite` are the questions, `fit` brings them to a model's length, `predict` answers, `judge` rates the
answers by the prompts of `prompts`, `compare` and `statistics` say what the ratings support. Every result is a row of
JSON lines (`longalign.records`), keyed by what it was made of.
"""
