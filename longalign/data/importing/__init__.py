"""Published data sets to the rows `{"messages": [...]}` that `data/sources.py` reads: `longalign data import`.

pipeline.py   the way of a row through all of these
formats.py    a row of any known shape to messages; contents.py: its turns, their roles and texts
html.py       which rows are saved pages; page.py: a page to Markdown; remnants.py: words of buttons in its text
turns.py      what of a conversation can be trained on
splitting.py  over-long conversations to several
language.py   Chinese, English, or another
tally.py      what was dropped and repaired, why and where; unusable.py: the exception behind it
"""
