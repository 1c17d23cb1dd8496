"""LongBench-Chat (Bai et al. 2024, section 4): a model answers questions about long documents, and a judge model, which
is shown rated examples, rates the answers.

`cases` reads the published questions, `suite` makes questions of our own, `fit` shortens documents to a model's length,
`predict` gets the answers, `judge` the ratings (by the prompts of `prompts`), and `compare` and `statistics` compute
means and differences with intervals. Each answer and rating is a row of JSON lines (`longalign.records`) whose key is a
hash of everything that it depends on.
"""
