"""Run a notebook and keep what its cells show, as a kernel would.

    python -m tests.docs.notebook docs/examples/desk.ipynb

A real kernel (nbclient and ipykernel) was measured: 40 packages, 105 MB, and two seconds before its
first cell, in a process that talks over sockets of its own. What is needed of it is here: cells
that share a scope, `await` outside of functions, what is printed, and the last value of a cell.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import sys
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]


async def run(notebook: Notebook) -> Notebook:
    """Give the notebook with what its cells show when they are run now, from top to bottom."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        count += 1
        outputs = await _outputs("".join(cell["source"]), scope, count)
        cells.append(cell | {"execution_count": count, "outputs": outputs})
    return notebook | {"cells": cells}


async def _outputs(source: str, scope: dict[str, Any], count: int) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        value = await _evaluate(source, scope)
    if text := printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(text)})
    if value is not None:
        outputs.append(
            {
                "data": _shown(value),
                "execution_count": count,
                "metadata": {},
                "output_type": "execute_result",
            }
        )
    return outputs


async def _evaluate(source: str, scope: dict[str, Any]) -> object:
    """Run a cell; give the value of its last line, if that is an expression."""
    module = ast.parse(source)
    last = module.body[-1] if module.body else None
    if not isinstance(last, ast.Expr):
        await _step(module, "exec", scope)
        return None
    await _step(ast.Module(module.body[:-1], []), "exec", scope)
    return await _step(ast.Expression(last.value), "eval", scope)


async def _step(tree: ast.Module | ast.Expression, mode: str, scope: dict[str, Any]) -> object:
    code = compile(tree, "<cell>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, scope)  # noqa: S307 - our own notebook
    return await result if code.co_flags & inspect.CO_COROUTINE else result


def _shown(value: object) -> dict[str, list[str]]:
    """Show a value as tables where it has some: a kernel would add its repr, which nobody sees."""
    if hasattr(value, "_repr_html_"):
        return {"text/html": _lines(value._repr_html_())}
    return {"text/plain": _lines(repr(value))}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def read(path: Path) -> Notebook:
    """Read a notebook."""
    notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def main(path: Path) -> None:
    """Run a notebook, and write it with what it shows."""
    made = asyncio.run(run(read(path)))
    text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
