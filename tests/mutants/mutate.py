"""Small faults, made one at a time in a module's syntax tree.

Each is a slip that somebody could make: a bound that is off by one, a condition half forgotten, a
line left out. What only shows (texts, representations, annotations) is left alone.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
_TWINS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_BOUNDS: Final = ast.Lt | ast.LtE | ast.Gt | ast.GtE
_DEFINITIONS: Final = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Mutant:
    """One fault: where, and what was made of what."""

    line: int
    block: int
    """The number of the list of statements that it is in."""
    within: str
    function: str
    """The outermost function that it is in, if it is in one."""
    begins: int
    """The number of the list of statements that this function begins with."""
    change: str
    holder: Any
    key: Any
    new: ast.AST

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make the fault in the tree that it belongs to, for a while."""
        put = setattr if isinstance(self.holder, ast.AST) else operator.setitem
        get = getattr if isinstance(self.holder, ast.AST) else operator.getitem
        old = get(self.holder, self.key)
        put(self.holder, self.key, self.new)
        try:
            yield
        finally:
            put(self.holder, self.key, old)

    def __str__(self) -> str:
        return f"{self.within or 'module'}: {self.change}"


def mutants(tree: ast.Module) -> Iterator[Mutant]:
    """Find every fault that can be made in a tree."""
    begins: dict[str, int] = {}
    for block, (body, within, function) in enumerate(_bodies(tree.body)):
        where = block, within, function, begins.setdefault(function, block)
        for index, statement in enumerate(body):
            if _may_be_left_out(statement, within):
                change = f"{_text(statement)} -> left out"
                yield Mutant(statement.lineno, *where, change, body, index, ast.Pass())
            for holder, key, old in _expressions(statement):
                for new in _instead(holder, key, old):
                    change = f"{_text(old)} -> {_text(new)}"
                    yield Mutant(old.lineno, *where, change, holder, key, new)


def tell_tale(tree: ast.Module, tell: str) -> ast.Module:
    """Have every list of statements call `tell` with its number when it begins."""
    for block, (body, *_) in enumerate(_bodies(tree.body)):
        if block:
            begin = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            call = ast.Call(ast.Name(tell, ast.Load()), [ast.Constant(block)], [])
            body.insert(begin, ast.copy_location(ast.Expr(call), body[0]))
    return ast.fix_missing_locations(tree)


def _bodies(
    body: list[ast.stmt], within: str = "", function: str = ""
) -> Iterator[tuple[list[ast.stmt], str, str]]:
    """Find every list of statements that does something, with the name of where it stands."""
    yield body, within, function
    for statement in body:
        name, outermost = within, function
        if isinstance(statement, _DEFINITIONS):
            if statement.name == "__repr__" or _is_protocol(statement):
                continue
            name = f"{within}.{statement.name}".lstrip(".")
            if not isinstance(statement, ast.ClassDef):
                outermost = function or name
        elif isinstance(statement, ast.If) and _text(statement.test) == "TYPE_CHECKING":
            continue
        for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _bodies(part.body, name, outermost)
        for inner in ("body", "orelse", "finalbody"):
            if found := getattr(statement, inner, None):
                yield from _bodies(found, name, outermost)


def _is_protocol(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ClassDef) and "Protocol" in map(_text, statement.bases)


def _may_be_left_out(statement: ast.stmt, within: str) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()):
            return False
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target, value=ast.expr()):
            # What `__init__` leaves out is missed by everybody, for a slot is empty then.
            beginning = within.endswith("__init__")
            return not beginning and isinstance(target, ast.Attribute | ast.Subscript)
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            return True
    return False


def _expressions(node: ast.AST) -> Iterator[tuple[Any, Any, ast.expr]]:
    """Find the expressions of a statement, and who holds each; not those of statements in it."""
    if isinstance(node, _DEFINITIONS):
        return
    if isinstance(node, ast.If) and _text(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Assign) and _text(node.targets[0]) in ("__slots__", "__all__"):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "targets", "handlers", "cases") or isinstance(
            value, ast.JoinedStr
        ):
            continue
        holder, items = (
            (value, list(enumerate(value))) if isinstance(value, list) else (node, [(name, value)])
        )
        for key, item in items:
            if isinstance(item, ast.expr):
                yield holder, key, item
            if isinstance(item, ast.AST) and not isinstance(item, ast.stmt):
                yield from _expressions(item)


def _instead(holder: Any, key: Any, old: ast.expr) -> Iterator[ast.expr]:
    """Give what may stand by mistake where an expression stands."""
    if key == "test" and isinstance(holder, ast.If | ast.IfExp):
        yield ast.Constant(value=True)
        yield ast.Constant(value=False)
        if isinstance(old, ast.Compare) and not isinstance(old.ops[0], _BOUNDS):
            return  # neither of these two being noticed, its opposite would not be either
    yield from _other_conditions(old)
    yield from _other_values(old)


def _other_conditions(old: ast.expr) -> Iterator[ast.expr]:
    match old:
        case ast.Compare(left=left, ops=ops, comparators=right):
            for index, op in enumerate(ops):
                changed = [*ops[:index], _COMPARISONS[type(op)](), *ops[index + 1 :]]
                yield ast.Compare(left, changed, right)
        case ast.BoolOp(op=op, values=values):
            for index in range(len(values)):
                rest = values[:index] + values[index + 1 :]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Call(func=ast.Name(id=name), args=args, keywords=words) if name in _TWINS:
            yield ast.Call(ast.Name(_TWINS[name], ast.Load()), args, words)


def _other_values(old: ast.expr) -> Iterator[ast.expr]:
    match old:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(op)](), right)
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(value * 2 if value else 1.0)


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
