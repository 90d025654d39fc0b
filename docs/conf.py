"""How the documentation is built."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx import addnodes
from sphinx.util import logging

from binance_dust import __version__, models
from binance_dust._answers.codes import BY_CODE

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.parameters import TEXTS, docstring_of, fields, real

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

WORDS = Path(__file__).with_name("search.toml")

project = "binance_dust"
author = "The binance_dust maintainers"
copyright = "2026, The binance_dust maintainers"  # noqa: A001 - Sphinx's name for it
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
source_suffix = {".md": "markdown", ".ipynb": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Two hyphens are those of an option, and no dash.
smartquotes_action = "qe"

# Text between backticks in a docstring is code.
default_role = "code"

# A class shows its own docstring and that of its constructor.
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# These types mark fields that are converted when read; the reference shows what they become.
vars(models).update(Amount=Decimal, Moment=datetime)

# The reference links our public names; names of Python and of other libraries stay text.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!binance_dust\.[a-z]).*"),
    (r"py:.*", r"binance_dust\._.*"),
    (r"py:.*", r"binance_dust\.sandbox\..*"),
]

html_theme = "furo"
html_title = f"binance_dust {version}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_additional_pages = {"404": "404.html"}
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_copy_source = False
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_logo": "mark.svg",
    "dark_logo": "mark-dark.svg",
    "light_css_variables": {"color-brand-primary": "#0f766e", "color-brand-content": "#0f766e"},
    "dark_css_variables": {"color-brand-primary": "#5eead4", "color-brand-content": "#5eead4"},
}


def setup(app: Sphinx) -> None:
    """Connect the functions of this file to the build."""
    app.connect("autodoc-process-docstring", drop_borrowed)
    app.connect("autodoc-process-docstring", list_parameters)
    app.connect("autodoc-process-docstring", mark_code)
    app.connect("autodoc-process-signature", tell_defaults)
    app.connect("source-read", read_notebook)
    app.connect("doctree-read", index_words)
    app.connect("doctree-read", index_codes)
    # Before Sphinx collects the images, and behind the theme.
    app.connect("doctree-read", pair_pictures, priority=100)
    app.connect("html-page-context", clear_first_page, priority=900)


def drop_borrowed(*arguments: Any) -> None:
    """Drop the docstring of a constant's type, and the constructors of errors."""
    what, value, lines = arguments[1], arguments[3], arguments[-1]
    constant = what == "data" and value.__doc__ == type(value).__doc__
    if constant or (what == "exception" and lines[:1] != value.__doc__.splitlines()[:1]):
        lines.clear()


def list_parameters(app: Sphinx, *arguments: Any) -> None:
    """List parameters one by one, and complain of those that nothing describes."""
    what, name, value, _, lines = arguments
    if what not in ("class", "function", "method"):
        return
    app.env.note_dependency(str(TEXTS))
    told = docstring_of(value.__init__).splitlines() if what == "class" else []
    if lines[: len(told)] != told:
        return  # the docstring of its constructor comes next
    lines[:], silent = fields(value, name, lines)
    for parameter in silent:
        logger.warning("%s: nothing describes the parameter %s", name, parameter)


def mark_code(*arguments: Any) -> None:
    """Show indented parts of a docstring as code; docstrings themselves stay free of markup."""
    lines: list[str] = arguments[-1]
    for at in range(len(lines) - 1, 1, -1):
        begins = lines[at].startswith("    ") and not lines[at - 1]
        if begins and lines[at - 2] and not lines[at - 2].startswith(" "):
            lines[at - 1 : at - 1] = ["", "::"]


def tell_defaults(*arguments: Any) -> tuple[str, str] | None:
    """Show the value of a default instead of the name of a private constant."""
    value, signature, result = arguments[3], arguments[5], arguments[6]
    known = vars(sys.modules.get(getattr(value, "__module__", ""), object))
    return signature and (re.sub(r"(?<==)[\w.]+", lambda at: real(at[0], known), signature), result)


def index_words(app: Sphinx, page: Any) -> None:
    """Let the search lead to a page, or a heading of it, by the words that people type."""
    app.env.note_dependency(str(WORDS))
    for place, words in tomllib.loads(WORDS.read_text("utf-8")).items():
        name, _, heading = place.partition("#")
        if name != app.env.docname:
            continue
        if heading and not any(heading in node["ids"] for node in page.findall(is_section)):
            logger.warning("%s: there is no such heading", place)
        page[0].insert(0, entries([(word, heading) for word in words]))


def index_codes(app: Sphinx, page: Any) -> None:
    """Let the search find the rows about a code, which it ignores as a word: a number."""
    told: dict[str, list[str]] = {}
    if app.env.docname == "how-to/handle-errors":
        for code, known in BY_CODE.items():
            told.setdefault(known.error.__name__, []).append(str(code))
    elif app.env.docname != "reference/codes":
        return
    for row in page.findall(lambda node: node.tagname == "row"):
        names = row[0].astext().split(", ")
        codes = [code for name in names for code in told.get(name, [name])]
        if codes := [code for code in codes if code.lstrip("-").isdigit()]:
            row["ids"].append(anchor := f"row-{names[0].lower().lstrip('-')}")
            row.insert(0, entries([(code, anchor) for code in codes]))


def entries(words: list[tuple[str, str]]) -> addnodes.index:
    """Make entries of the index, each with the place that it leads to."""
    return addnodes.index(entries=[("single", word, at, "main", None) for word, at in words])


def is_section(node: Any) -> bool:
    """Say whether a node is a heading with what is below it."""
    return bool(node.tagname == "section")


def pair_pictures(app: Sphinx, page: Any) -> None:
    """Put the dark form of a picture, `NAME-dark.png`, beside it; the theme shows one of both."""
    for image in list(page.findall(lambda node: node.tagname == "image")):
        dark = Path(image["uri"]).with_suffix("").as_posix() + "-dark.png"
        if (Path(app.env.doc2path(app.env.docname)).parent / dark).exists():
            twin = image.deepcopy()
            twin["uri"] = dark
            image["loading"] = twin["loading"] = "lazy"
            image["classes"].append("only-light")
            twin["classes"].append("only-dark")
            image.parent.insert(image.parent.index(image) + 1, twin)


def clear_first_page(*arguments: Any) -> None:
    """Give the first page the room of the list of its own headings."""
    name, context = arguments[1], arguments[3]
    if name == "index":
        context["furo_hide_toc"] = True


def read_notebook(app: Sphinx, page: str, source: list[str]) -> None:
    """Read a notebook as a page, with the outputs of its cells."""
    if str(app.env.doc2path(page)).endswith(".ipynb"):
        source[0] = "\n".join(map(as_markdown, json.loads(source[0])["cells"]))


def as_markdown(cell: dict[str, Any]) -> str:
    """Write a cell as Markdown."""
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return f"{text}\n"
    blocks = [("python", text)]
    for output in cell["outputs"]:
        shown = output["data"] if "data" in output else {"text/plain": output["text"]}
        for kind, lines in shown.items():
            if kind == "text/html":
                # With the class of the theme's own tables, so that they look alike.
                table = "".join(lines).replace("<table ", '<table class="docutils" ')
                blocks.append(("{raw} html", table))
            else:
                blocks.append(("text", "".join(lines)))
    return "".join(f"```{language}\n{block.rstrip()}\n```\n\n" for language, block in blocks)
