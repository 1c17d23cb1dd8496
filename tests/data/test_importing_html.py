"""Pages become Markdown; what is no page stays as it is to the letter."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longalign.data.importing.html import convert
from longalign.data.importing.remnants import remove_remnants
from longalign.errors import UserError

BUTTON = (
    '<button class="flex ml-auto gap-2"><svg stroke="currentColor" viewBox="0 0 24 24"><path d="M16 4h2"></path>'
    '<rect x="8"></rect></svg>Copy code</button>'
)
PAGE = (
    '<div class="markdown prose w-full break-words dark:prose-invert light">'
    "<h2><strong>Sorting</strong></h2>"
    "<p>Use <code>a_b*c</code> &amp; <em>x_y</em>, 2 * 3 * 4, and vector&lt;int&gt;.</p>"
    '<ol start="3"><li><p>One</p><pre><div class="bg-black rounded-md mb-4">'
    f'<div class="flex items-center text-xs"><span>go</span>{BUTTON}</div><div class="p-4 overflow-y-auto">'
    '<code class="!whitespace-pre hljs language-go"><span class="hljs-keyword">func</span> main() {\n'
    "    if a &lt; b {\n\n        _x := 1\n    }\n}\n</code></div></div></pre></li>"
    "<li>Two<ul><li>sub</li></ul></li></ol>"
    "<table><thead><tr><th>A</th><th>B|C</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    "<blockquote><p>quoted</p></blockquote>"
    "</div>"
)
MARKDOWN = """## **Sorting**

Use `a_b*c` & *x_y*, 2 * 3 * 4, and vector<int>.

3. One

   ```go
   func main() {
       if a < b {

           _x := 1
       }
   }
   ```
4. Two
   - sub

| A | B\\|C |
| --- | --- |
| 1 | 2 |

> quoted"""

PLAIN = [
    "if a < b and c > d: pass",
    "List<int> and Map<String, List<T>> and vector<a>",
    "Use the <p> tag, then </p>.",
    "Say <b>bold</b> &amp; <i>italic</i>",
    "<div>centred</div>",
    '<p id="x" onclick="go()">code</p>',
    "<ul>\n  <li>written by hand</li>\n</ul>",
    "<!DOCTYPE html>\n<html><body><p>x</p></body></html>",
    '<form><p><input name="q"></p></form>',
    "```html\n<p>x</p>\n```",
    "&lt;b&gt;",
    "snake_case *stars* # hash 1. one",
    "two  spaces\n\n\n    and lines\t\n",
]


def _turns(question: str, *answers: str) -> list[dict]:
    pairs = [({"role": "user", "content": question}, {"role": "assistant", "content": answer}) for answer in answers]
    return [message for pair in pairs for message in pair]


def _answer(text: str, setting="auto", page_like: bool = True) -> str:
    return convert(_turns("q", text), setting, page_like)[0][1]["content"]


def test_a_page_becomes_markdown_with_code_lists_and_tables():
    messages, was_html = convert(_turns("Why is <p>x</p> &lt; List<int>?", PAGE), "auto", page_like=False)
    assert was_html
    assert [message["content"] for message in messages] == ["Why is <p>x</p> &lt; List<int>?", MARKDOWN]


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("page_like", [True, False])
def test_what_is_no_page_stays_to_the_letter(text, page_like):
    messages = _turns(text, text)
    assert convert(messages, "auto", page_like) == (messages, False)


@given(st.text(alphabet="ab<>/&; \n`*_#p=\"'li"))
def test_text_that_starts_with_no_tag_stays_to_the_letter(text):
    messages = _turns(text, f"a{text}")
    assert convert(messages, "auto", True) == (messages, False)


def test_a_long_word_behind_an_angle_takes_no_time():
    text = f"<p>a</p><{'A0' * 200_000} <p>b</p>"
    started = time.perf_counter()
    convert(_turns(text, text), "auto", True)
    assert time.perf_counter() - started < 5


def test_html_stays_where_it_is_not_wanted():
    assert convert(_turns("q", PAGE), False, True) == (_turns("q", PAGE), False)


def test_rendered_answers_are_pages_in_sharegpt_rows_only():
    text = "<p>a &lt; b</p>\n<p>second <code>x</code></p><pre><code>y\n</code></pre>"
    assert _answer(text) == "a < b\n\nsecond `x`\n\n```\ny\n```"
    assert _answer(text, page_like=False) == text


def test_in_a_page_every_answer_is_html_and_a_question_only_if_it_looks_like_it():
    messages, _ = convert(_turns("<p>why &amp; how</p>", PAGE, "a &lt; b <b>x</b>", "List<int>"), "auto", True)
    assert [message["content"] for message in messages[2:]] == [
        "why & how",
        "a < b **x**",
        "why & how",
        "List<int>",
    ]


@pytest.mark.parametrize(
    ("question", "left"),
    [("2 / 3Why?", "Why?"), ("2 / 3 = ?", "2 / 3 = ?"), ("10 / 2", "10 / 2"), ("为1 / 2吗", "为1 / 2吗")],
)
def test_the_arrows_beside_a_question_go(question, left):
    assert convert(_turns(question, PAGE), "auto", True)[0][0]["content"] == left


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a < b <p>x</p> List<int>", "a < b\n\nx\n\nList<int>"),
        ("List<int>", "List<int>"),
        ("no  tags\n\n  here", "no  tags\n\n  here"),
        ("line<br>end<br/>s", "line\nend\ns"),
        ("10<sup>6</sup> H<sub>2</sub>O", "10<sup>6</sup> H<sub>2</sub>O"),
        ('<a href="https://a.b/c">name</a>', "[name](https://a.b/c)"),
        ('<img src="data:image/png;base64,AAAA" alt="pic">!', "pic!"),
        ("<script>alert(1)</script><style>p {}</style><p>x</p>", "x"),
        ("<pre><code>pythonCopy code\nimport x\n</code></pre>", "```python\nimport x\n```"),
        ("<pre><div>c++Copy code</div><code>a;</code></pre>", "```c++\na;\n```"),
        ("<div>Copy code</div><p>x</p>", "x"),
        ('<div><code class="hljs language-sh">a\n  b</code></div>', "```sh\na\n  b\n```"),
        ("<pre><code>```py\nx\n```</code></pre>", "````\n```py\nx\n```\n````"),
        ("<pre>a<br>  b</pre>", "```\na\n  b\n```"),
        ('<div class="whitespace-pre-wrap">a\n\n    b_c</div>', "a\n\n    b_c"),
        ("<h4>T</h4><hr><p>x&nbsp;y</p>", "#### T\n\n---\n\nx\xa0y"),
        ("<p>unclosed <b>bold", "unclosed **bold**"),
        ("<![CDATA[x]]> <p>y</p>", "<![CDATA[x]]>\n\ny"),
        (
            '<p>so <span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>x</mi></mrow>'
            '<annotation encoding="application/x-tex">x^2_i</annotation></semantics></math></span>'
            '<span class="katex-html" aria-hidden="true">x2</span></span>.</p>',
            "so $x^2_i$.",
        ),
        (
            '<p>so <span class="MathJax_Preview"></span><span class="MathJax" id="m"><nobr aria-hidden="true">x2</nobr>'
            '<span class="MJX_Assistive_MathML"><math><mi>x</mi></math></span></span>'
            '<script type="math/tex">x^2_i</script>.</p><script type="math/tex; mode=display">y < 2</script>',
            "so $x^2_i$.\n\n$$y < 2$$",
        ),
    ],
)
def test_html_is_read_as_asked(source, text):
    assert _answer(source, True) == text


def test_html_without_end_drops_the_row_and_no_more():
    from longalign.data.importing.unusable import Unusable

    with pytest.raises(Unusable, match="HTML that cannot be read"):
        _answer("<div>" * 5000 + "x", True)


def test_without_the_library_the_user_is_told_what_to_install(monkeypatch):
    import sys

    from longalign.data.importing import page

    page._library.cache_clear()
    monkeypatch.setitem(sys.modules, "markdownify", None)
    with pytest.raises(UserError, match="pip install"):
        _answer(PAGE)
    monkeypatch.undo()
    page._library.cache_clear()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("So:\n```\npythonCopy codeimport x\n```\nend", "So:\n```python\nimport x\n```\nend"),
        ("```css\nCopy code\na {}\n```", "```css\na {}\n```"),
        ("```jsCopy code\nlet a\n```", "```js\nlet a\n```"),
        ("python\nCopy code\nimport x", "python\nimport x"),
        ("Hi.Copy123 chars / 4 words", "Hi."),
        ("```jsx\n<button>\nCopy code\n</button>\n```", None),
        ("Press the Copy code button.\n", None),
        ("Copy 3 files", None),
    ],
)
def test_words_of_buttons_go_and_code_stays(text, left):
    messages, changed = remove_remnants([{"role": "assistant", "content": text}])
    assert (messages[0]["content"], changed) == (text if left is None else left, left is not None)
