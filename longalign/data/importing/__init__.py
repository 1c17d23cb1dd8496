"""Published data sets to the rows `{"messages": [...]}` that `data/sources.py` reads: `longalign data import`.

formats.py   a row of any known shape to messages
turns.py     what of a conversation can be trained on
html.py      pages, as ShareGPT saved them, to Markdown
splitting.py over-long conversations to several
tally.py     what was dropped and repaired, why and where
pipeline.py  the way through all of them
"""
