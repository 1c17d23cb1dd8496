"""Turning the HTML of one answer into Markdown, with the library markdownify and rules for ChatGPT's pages.

By these rules code blocks keep their language and lose their buttons, and rendered formulas become their TeX source.
"""

import html
import re
import warnings
from functools import cache
from typing import Any

from longalign.data.importing.unusable import Unusable
from longalign.errors import UserError

COPY_CODE = "Copy code"  # the text of a button, which remains in pages whose tags were partly removed

_HEADER = re.compile(rf"\A\s*([\w+#.-]*?)[ \t]*(?:{COPY_CODE})?\s*\Z")
_GLUED_HEADER = re.compile(rf"\A\s*([\w+#.-]*?){COPY_CODE}\n?")
_LANGUAGE = re.compile(r"\A(?:language|lang|highlight-source)-([\w+#.-]+)\Z")
_BACKTICKS = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)


def to_markdown(source: str) -> str:
    """Turn a piece of HTML into Markdown, without white space around it.

    Raises:
        Unusable: the HTML is nested too deeply, or the parser refuses it.
    """
    BeautifulSoup, rejected, converter = _library()
    try:
        soup = BeautifulSoup(source, "html.parser")
        _clean(soup, source)
        return converter.convert_soup(soup).strip()
    except (RecursionError, rejected) as error:
        raise Unusable("HTML that cannot be read", str(error)[:100]) from None


@cache
def _library() -> tuple[Any, Any, Any]:
    try:
        from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
        from bs4.exceptions import ParserRejectedMarkup
        from markdownify import ATX, MarkdownConverter
    except ImportError:
        raise UserError("html: HTML in the rows needs the library markdownify: pip install 'longalign[data]'") from None
    warnings.filterwarnings("ignore", category=MarkupResemblesLocatorWarning)

    library: Any = MarkdownConverter  # Any: its type stubs lack the methods

    class Converter(library):
        """Escapes bars in table cells, makes <br> a line end, and fences code by more backticks than are in it."""

        def convert_br(self, el: Any, text: str, parent_tags: set[str]) -> str:
            return " " if "_inline" in parent_tags else "\n"

        def convert_div(self, el: Any, text: str, parent_tags: set[str]) -> str:
            if "whitespace-pre-wrap" in (el.get("class") or ()) and not el.find(True):
                text = el.get_text()
            return super().convert_div(el, text, parent_tags)

        def convert_td(self, el: Any, text: str, parent_tags: set[str]) -> str:
            return super().convert_td(el, text.replace("|", r"\|"), parent_tags)

        def convert_th(self, el: Any, text: str, parent_tags: set[str]) -> str:
            return super().convert_th(el, text.replace("|", r"\|"), parent_tags)

        def convert_pre(self, el: Any, text: str, parent_tags: set[str]) -> str:
            language, body = _code(el)
            fence = max(("```", *(run + "`" for run in _BACKTICKS.findall(body))), key=len)
            return f"\n\n{fence}{language}\n{body}\n{fence}\n\n"

    options = {
        "heading_style": ATX,
        "bullets": "-",
        "escape_asterisks": False,
        "escape_underscores": False,
        "sub_symbol": "<sub>",
        "sup_symbol": "<sup>",
        "table_infer_header": True,
    }
    return BeautifulSoup, ParserRejectedMarkup, Converter(**options)


def _clean(soup: Any, source: str) -> None:
    """Remove elements that are no text, replace rendered formulas by TeX, and make blocks of code with several lines.

    source: the HTML as text. A search of it is fast, and saves searches of the whole tree for what is not there.
    """
    if "math/tex" in source:
        _restore_mathjax(soup)
    if re.search("<(button|svg|style|script|noscript)", source, re.IGNORECASE):
        for element in soup.find_all(["button", "svg", "style", "script", "noscript"]):
            element.decompose()
    if "data:" in source:
        for image in soup.find_all("img", src=re.compile(r"\Adata:")):
            image.replace_with(image.get("alt") or "")
    if "katex" in source:
        for formula in soup.find_all(class_="katex-display") + soup.find_all(class_="katex"):
            tex = formula.find("annotation", encoding="application/x-tex")
            if tex is not None:
                mark = "$$" if "katex-display" in formula["class"] else "$"
                formula.replace_with(f"{mark}{tex.get_text().strip()}{mark}")
    for code in soup.find_all("code"):
        if code.find_parent("pre") is None and "\n" in code.get_text().strip():
            code.wrap(soup.new_tag("pre"))
    if COPY_CODE in source:
        for text in soup.find_all(string=re.compile(rf"\A\s*{COPY_CODE}\s*\Z")):
            if text.find_parent("code") is None:
                text.extract()


def _restore_mathjax(soup: Any) -> None:
    """Replace MathJax 2's formulas by their TeX, which is in a script element beside the rendered ones."""
    for drawn in soup.find_all(class_=re.compile(r"\AMathJax(?:_|\Z)|\AMJX")):
        drawn.extract()
    for script in soup.find_all("script", type=re.compile(r"\Amath/tex")):
        mark = "$$" if "mode=display" in script["type"] else "$"
        script.replace_with(f"{mark}{html.unescape(script.get_text().strip())}{mark}")


def _code(pre: Any) -> tuple[str, str]:
    """(language, text) of a code block. A header with the language is a text of its own or the start of the code."""
    for line_end in pre.find_all("br"):
        line_end.replace_with("\n")
    code = pre.find("code")
    language = _language(pre) or (_language(code) if code is not None else "")
    body = (pre if code is None else code).get_text()
    if glued := _GLUED_HEADER.match(body):
        language, body = language or glued[1], body[glued.end() :]
    if code is not None and not language:
        code.extract()
        header = _HEADER.match(pre.get_text())
        language = header[1] if header else ""
    return language, body.strip("\n").rstrip()


def _language(element: Any) -> str:
    found = (_LANGUAGE.match(name) for name in element.get("class") or ())
    return next((match[1] for match in found if match), "")
