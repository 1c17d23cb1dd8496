"""Long instruction data from documents, by a model behind an API: LongAlign's Self-Instruct (arXiv 2401.18058, 3.1).

documents.py   what there is: texts with their length and language, each once
selection.py   which of them are asked about, in what order, for what task
prompts.py     how questions are asked for
quality.py     what answers are not good enough
overlap.py     near duplicates, and passages of evaluation sets
run.py         the calls, and the rows that come of them
"""
