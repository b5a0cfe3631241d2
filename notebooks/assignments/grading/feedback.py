"""The page that a student gets back: marks first, one line for each lost mark, then the answers; nothing runs in it.

Everything of a student's is text to the template, which escapes it. Pictures have been drawn anew by `judge.fresh`.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

HERE = Path(__file__).resolve().parent
STYLE = """
body {max-width: 60em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; color: #111; background: #fff}
table {border-collapse: collapse; width: 100%}
th, td {border: 1px solid #999; padding: .4em; vertical-align: top; text-align: left}
pre {background: #f4f4f4; padding: .6em; white-space: pre-wrap; overflow-wrap: anywhere} .words {white-space: pre-wrap}
.error {border-left: .3em solid #b00} .printed {border-left: .3em solid #999} img {max-width: 100%}
"""


@cache
def template(name: str) -> jinja2.Template:
    """A template in which every value is text."""
    loader = jinja2.FileSystemLoader(HERE)
    return jinja2.Environment(autoescape=True, loader=loader, undefined=jinja2.StrictUndefined).get_template(name)


def render(name: str, **values: Any) -> str:
    """A page from a template. Its own style is the only one that its content security policy allows."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return template(name).render(style=jinja2.utils.markupsafe.Markup(STYLE), style_hash=digest, **values)  # noqa: S704
