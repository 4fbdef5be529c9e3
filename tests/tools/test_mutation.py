"""The table of the mutation test; the tool itself needs the extra ``mutation``."""

import ast
from pathlib import Path

ROOT = next(parent for parent in Path(__file__).parents if (parent / "pyproject.toml").exists())


def test_every_module_and_test_of_the_table_is_there() -> None:
    tree = ast.parse((ROOT / "tools" / "mutation.py").read_text(encoding="utf-8"))
    (table,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "MODULES"
        and node.value
    )
    assert len(table) >= 15
    assert all(table.values())
    paths = {path for module, tests in table.items() for path in (module, *tests)}
    assert {path for path in paths if not (ROOT / path).is_file()} == set()
