"""`longalign data synthesize`: a model behind an API writes questions and answers about long documents.

This is LongAlign's Self-Instruct (arXiv 2401.18058, section 3.1).

documents.py   reads the texts, each once, and finds their length and language
selection.py   decides which documents are asked about, in which order and for which task
prompts.py     has the prompts that ask for questions, and reads the replies
quality.py     finds answers that are not good enough; numerals.py reads Chinese numbers for it
overlap.py     finds near duplicates, and passages of evaluation sets
run.py         makes the calls, and the rows of their replies
"""
