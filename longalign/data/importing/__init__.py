"""`longalign data import`: turning published data sets into rows `{"messages": [...]}` for `data/sources.py`.

pipeline.py   takes each row through all of the following
formats.py    recognises the shape of a row and makes messages of it; contents.py reads turns, their roles and texts
html.py       finds rows that are saved web pages; page.py turns a page into Markdown, remnants.py removes the texts of
              its buttons
turns.py      keeps the part of a conversation that can be trained on
splitting.py  splits conversations that are too long
language.py   tells Chinese, English and other languages apart
tally.py      counts what was dropped and repaired, why and where; unusable.py has the exception for rows to drop
"""
