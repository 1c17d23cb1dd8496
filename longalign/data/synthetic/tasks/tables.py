"""Task `table`: find cells, greatest or least values, sums and rows of tables that are hidden in the prose.

Tables are written as Markdown, CSV or lists.
"""

from dataclasses import dataclass

from longalign.data.synthetic.tasks.exercise import Evidence, Exercise, Fact, Question, alone
from longalign.data.synthetic.tasks.teller import Teller, bare
from longalign.data.synthetic.tasks.wording import Sheet

_FACTS = 5  # facts that take as much room as a table
_ASKED = 3  # questions of an exercise


@dataclass
class _Table:
    sheet: Sheet
    title: str
    rows: list[str]
    columns: list[tuple[str, str]]  # (name, unit)
    figures: list[list[int]]  # for each row its numbers; no two in a column are equal
    lines: list[str]  # for each row its line in the text
    fact: Fact  # the whole table

    def evidence(self, *rows: int) -> tuple[Evidence, ...]:
        return tuple(Evidence(self.fact, self.lines[row]) for row in rows)


def table(teller: Teller, limit: int, unknown: bool) -> Exercise:
    """Tables of one kind for several sections, with one to three questions about the first."""
    draw = teller.draw
    sheet = draw.choice(teller.words.tables.sheets)
    number = teller.crowd(sheet.section, 1, max(1, min(24, limit // _FACTS)))
    tables = [_make(teller, sheet, draw.randint(3, max(3, min(9, limit)))) for _ in range(number)]
    asked = tables[0]
    questions = [draw.choice((_cell, _cell, _extreme, _total, _which))(teller, asked) for _ in range(_ASKED)]
    if unknown:
        column, _ = draw.choice(asked.columns)
        missing = _new_row(teller, sheet, asked.rows)
        text = teller.say(teller.words.tables.cell, title=asked.title, column=column, row=missing)
        # the missing row's name may stand in the prose: no reply may say that it is not mentioned
        replies = [reply for reply in teller.words.unknown if "{key}" not in reply]
        questions[0] = Question(text, teller.say(replies), (), ())
    different = {question.text: question for question in questions}
    return Exercise(alone([one.fact for one in tables]), tuple(different.values()))


def _make(teller: Teller, sheet: Sheet, count: int) -> _Table:
    draw, cast = teller.draw, teller.cast
    title = draw.choice(sheet.titles).format(section=cast.draw_new(sheet.section))
    rows: list[str] = []
    while len(rows) < count and (sheet.rows not in cast.words or len(rows) < len(cast.words[sheet.rows]) - 1):
        rows.append(_new_row(teller, sheet, rows))
    chosen = sorted(draw.sample(range(len(sheet.columns)), draw.randint(2, min(4, len(sheet.columns)))))
    columns = [sheet.columns[place][:2] for place in chosen]
    by_column = [draw.sample(range(low, high + 1), len(rows)) for _, _, low, high in (sheet.columns[c] for c in chosen)]
    figures = [list(row) for row in zip(*by_column, strict=True)]
    head, lines = _lines(teller, sheet, rows, columns, figures)
    heading = draw.choice(("{}", "**{}**", "### {}", "{}")).format(title)
    return _Table(
        sheet,
        title,
        rows,
        columns,
        figures,
        lines,
        Fact("\n".join((heading, "", *head, *lines)), apart=True, block=True),
    )


def _new_row(teller: Teller, sheet: Sheet, rows: list[str]) -> str:
    words = teller.cast.words.get(sheet.rows)
    if words is None:
        return bare(teller.cast.draw_new(sheet.rows))
    if sheet.rows == "day" and len(rows) < len(words) - 1:
        return words[len(rows)]
    return teller.draw.choice([word for word in words if word not in rows])


def _lines(
    teller: Teller, sheet: Sheet, rows: list[str], columns: list[tuple[str, str]], figures: list[list[int]]
) -> tuple[list[str], list[str]]:
    """(lines above the rows, one line for each row) of a table in a random form."""
    brackets = " ({})" if teller.words.joint else "（{}）"
    names = [sheet.row, *(name + (brackets.format(unit) if unit else "") for name, unit in columns)]
    cells = [[row, *map(str, numbers)] for row, numbers in zip(rows, figures, strict=True)]
    form = teller.draw.choice(("markdown", "markdown", "csv", "list"))
    if form == "markdown":
        head = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
        return head, ["| " + " | ".join(row) + " |" for row in cells]
    if form == "csv":
        return [",".join(names)], [",".join(row) for row in cells]
    comma, space = (", ", " ") if teller.words.joint else ("，", "")
    parts = [
        comma.join(
            f"{name} {number}{space}{unit}".rstrip() for (name, unit), number in zip(columns, numbers, strict=True)
        )
        for numbers in figures
    ]
    return [], [teller.words.tables.item.format(name=row, cells=part) for row, part in zip(rows, parts, strict=True)]


def _cell(teller: Teller, one: _Table) -> Question:
    row, column = teller.draw.randrange(len(one.rows)), teller.draw.randrange(len(one.columns))
    words, value = teller.words.tables, str(one.figures[row][column])
    slots = {"row": one.rows[row], "column": one.columns[column][0], "value": value, "title": one.title}
    return teller.question(words.cell, words.cell_replies, (value,), one.evidence(row), **slots)


def _extreme(teller: Teller, one: _Table) -> Question:
    column = teller.draw.randrange(len(one.columns))
    most = teller.draw.random() < 0.6
    row = (max if most else min)(range(len(one.rows)), key=lambda at: one.figures[at][column])
    words, value = teller.words.tables, str(one.figures[row][column])
    slots = {"row": one.rows[row], "column": one.columns[column][0], "value": value, "title": one.title}
    asks, replies = (words.most, words.most_replies) if most else (words.least, words.least_replies)
    evidence = one.evidence(*range(len(one.rows)))
    return teller.question(asks, replies, (one.rows[row],), evidence, kind=one.sheet.row, **slots)


def _total(teller: Teller, one: _Table) -> Question:
    column = teller.draw.randrange(len(one.columns))
    rows = sorted(teller.draw.sample(range(len(one.rows)), teller.draw.randint(2, min(4, len(one.rows)))))
    numbers = [one.figures[row][column] for row in rows]
    words, value = teller.words.tables, str(sum(numbers))
    slots = {
        "rows": teller.listed([one.rows[row] for row in rows]),
        "column": one.columns[column][0],
        "title": one.title,
        "sum": " + ".join(map(str, numbers)),
        "value": value,
    }
    return teller.question(words.total, words.total_replies, (value,), one.evidence(*rows), **slots)


def _which(teller: Teller, one: _Table) -> Question:
    row, column = teller.draw.randrange(len(one.rows)), teller.draw.randrange(len(one.columns))
    words = teller.words.tables
    slots = {
        "row": one.rows[row],
        "column": one.columns[column][0],
        "value": one.figures[row][column],
        "title": one.title,
        "kind": one.sheet.row,
    }
    return teller.question(words.which, words.which_replies, (one.rows[row],), one.evidence(row), **slots)
