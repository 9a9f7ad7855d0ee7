"""Sentences of the documentation that every CPython carries under the PSF licence: the language
reference (pydoc_data/topics.py) and the docstrings of the standard library."""

import ast
import inspect
import pathlib
import re
import sysconfig

MODULES = (
    "collections contextlib copy csv functools glob heapq json os.path pathlib queue random shutil "
    "statistics string tempfile textwrap"
).split()


def paragraphs_of(text):
    """Each paragraph as one line of ASCII."""
    text = "".join(c if c == "\n" or 32 <= ord(c) < 127 else " " for c in inspect.cleandoc(text))
    text = re.sub(r"[=\-*~^#+_.]{6,}", "----", text).strip()
    return [re.sub(r"\s+", " ", paragraph) for paragraph in re.split(r"\n{2,}", text)]


def sentences_of(text):
    """The text's first paragraph, or None if it is not made of sentences."""
    paragraph = paragraphs_of(text)[0]
    fits = 20 <= len(paragraph) <= 220 and paragraph[0].isupper() and paragraph.endswith(".")
    return paragraph if fits and re.fullmatch(r"[A-Za-z0-9 ,.'\"();:/_`-]+", paragraph) else None


def docstrings():
    """[(qualified name, its first paragraph)] of what is in MODULES, in a fixed order."""
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    found = []
    for module in MODULES:
        file = {
            "os.path": "posixpath.py",
            "collections": "collections/__init__.py",
            "json": "json/__init__.py",
        }.get(module, module + ".py")
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        named = [(module, tree)] + [
            (module + "." + node.name, node)
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
        ]
        for name, node in named:
            paragraph = sentences_of(ast.get_docstring(node) or "")
            if paragraph:
                found.append((name, paragraph))
    return found


def reference():
    """The paragraphs of the language reference that are made of sentences."""
    from pydoc_data.topics import topics

    return [
        p
        for name in sorted(topics)
        for p in paragraphs_of(topics[name])
        if 80 <= len(p) <= 700 and p[0].isupper() and p.endswith(".") and "----" not in p
    ]
