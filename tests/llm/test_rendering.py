"""Model text on our pages: Markdown works, and nothing in it acts."""

from html.parser import HTMLParser

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from llm.rendering import MOST_CHARACTERS, TAGS, as_html

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://evil.example/pixel.gif)",
    '![x" onerror="alert(1)](x)',
    '[x](https://a.example "\\" onmouseover=\\"alert(1)")',
    "[x](https://a.example' onmouseover='alert(1))",
    '```"><script>alert(1)</script>\nx\n```',
    "```js onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "`<script>alert(1)</script>`",
    "<style>*{background:url(//evil.example)}</style>",
    "<p style='position:fixed'>x</p>",
    "<form action=//evil.example><input name=password></form>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<object data=//evil.example></object>",
    "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
    "<details open ontoggle=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "# <b onclick=alert(1)>x</b>",
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "\u003cscript\u003ealert(1)\u003c/script\u003e",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
]


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def read(html):
    reader = Reader()
    reader.feed(str(html))
    reader.close()
    return reader


def assert_harmless(html):
    page = read(html)
    assert set(page.tags) <= TAGS
    for tag, name, value in page.attributes:
        assert (tag, name) in {("a", "href"), ("a", "title"), ("a", "rel"), ("ol", "start")}, (tag, name)
        if name == "href":
            assert value.startswith(("http://", "https://", "mailto:", "/", "#")) or ":" not in value, value


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_acts_comes_through(payload):
    assert_harmless(as_html(payload))
    assert_harmless(as_html(f"before {payload} after"))
    assert_harmless(as_html(f"> {payload}\n\n* {payload}"))


@given(st.lists(st.sampled_from([*PAYLOADS, "`", "\n", "> ", "](", "<", "&lt;", "\\", "|", "[", "text"]), max_size=8))
def test_no_mixture_of_payloads_comes_through(parts):
    assert_harmless(as_html("".join(parts)))


def test_markdown_works():
    html = as_html(
        "# Title\n\nA **bold** [link](https://a.example/b).\n\n3. three\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |"
    )
    for part in ("<h1>Title</h1>", "<strong>bold</strong>", '<ol start="3">', "<td>1</td>", "<s>2</s>"):
        assert part in html
    assert 'rel="noopener noreferrer nofollow ugc"' in html


def test_a_picture_is_its_words():
    assert as_html("![a <b> chart](https://a.example/x.png)") == "<p>a &lt;b&gt; chart</p>\n"


def test_a_text_beyond_all_measure_is_shown_plainly():
    html = as_html("<b>" + "x" * MOST_CHARACTERS)
    assert html.startswith("<pre>&lt;b&gt;x")


def test_a_template_renders_it_and_takes_nothing_for_granted():
    shown = Template("{% load llm_text %}{{ text|model_markdown }}|{{ none|model_markdown }}").render(
        Context({"text": "*a* <script>", "none": None})
    )
    assert shown == "<p><em>a</em> &lt;script&gt;</p>\n|"
