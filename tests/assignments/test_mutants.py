"""Are the tests of the assignments stronger than their author? Each solution is spoilt in one place at a time.

Every comparison, operator, constant, axis, call and condition of a solution is changed, one in each mutant. One that
keeps all marks must stand in `mutants.toml` with the reason: it does the same, or no student would notice.
"""

import ast
import copy
import tomllib
from pathlib import Path

import pytest
from test_assignments import answer_cells, failures, parts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("registry")]

# How such a test draws its pictures, and how often it looks, is free: most of its mutants are right answers.
OPEN = {"a2-keeps_together": "nobody has gone through its mutants yet"}
KNOWN = Path(__file__).with_name("mutants.toml")
SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def changes(node: ast.AST) -> list:
    """What can be done to a node: functions that change a copy of it."""
    found = []
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPPED:
        found.append(lambda each: setattr(each, "op", SWAPPED[type(each.op)]()))
    if isinstance(node, ast.AugAssign) and type(node.op) in SWAPPED:
        found.append(lambda each: setattr(each, "op", SWAPPED[type(each.op)]()))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        found.append(lambda each: each.ops.__setitem__(0, SWAPPED[type(each.ops[0])]()))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        found.append(lambda each: setattr(each, "op", ast.UAdd() if isinstance(each.op, ast.USub) else ast.UAdd()))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        found.append(lambda each: setattr(each, "value", each.value + 1))
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        found.append(lambda each: setattr(each, "value", not each.value))
    if isinstance(node, ast.Call) and node.keywords:
        found += [lambda each, at=at: each.keywords.pop(at) for at in range(len(node.keywords))]
    if isinstance(node, ast.Call) and len(node.args) > 1 and getattr(node.func, "id", "") not in ("max", "min"):
        found.append(lambda each: each.args.__setitem__(slice(0, 2), each.args[1::-1]))
    if isinstance(node, ast.IfExp):
        found.append(lambda each: each.__dict__.update(body=each.orelse, orelse=each.body))
    return found


def mutants(source: str) -> dict[str, str]:
    """Each mutant by what it changes: the line as it was and as it is."""
    tree, found = ast.parse(source), {}
    for number, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            spoilt = copy.deepcopy(tree)
            change(list(ast.walk(spoilt))[number])
            code = ast.unparse(ast.fix_missing_locations(spoilt))
            before, after = ast.unparse(tree).split("\n"), code.split("\n")
            lines = [pair for pair in zip(before, after) if pair[0] != pair[1]]
            if lines:
                found[f"{lines[0][0].strip()} -> {lines[0][1].strip()}"] = code
    return found


@pytest.mark.parametrize("path, part", parts())
def test_spoilt_solutions_lose_marks(path, part):
    if reason := OPEN.get(f"{path.name[:2]}-{part}"):
        pytest.skip(reason)
    known = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get(f"{path.name[:2]}-{part}", {})
    found = mutants(answer_cells(path)[part].source)
    survived = [name for name, code in found.items() if not failures(path, part, code)]
    print(f"{path.name[:2]} {part}: {len(survived)} of {len(found)} mutants keep all marks")
    assert set(survived) - set(known) == set(), survived
    assert set(known) <= set(found), "a mutant that is not made any more"
