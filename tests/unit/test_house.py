"""The rules of CONTRIBUTING.md's picture: which floor imports which, and how a floor is cut."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "_version errors extras text settings files processes native observability",
        "checkpoints",
        "architectures",
        "companions",
        "changes",
        "model",
        "comparison",
        "findings",
        "results",
        "drawings",
        "__init__",
        "cli ui integrations",
        "__main__ pages streamlit_app",
    )
)
"""From the ground up: what stands on one floor together does not import each other, except on the
ground and among the scripts at the top."""
OPEN_FLOORS = (FLOORS[0], FLOORS[-1])
NOTEBOOK = "modeldiff.drawings.output.notebook"
SHOW_THEMSELVES = frozenset(
    f"modeldiff.{name}"
    for name in (
        "architectures.architecture",
        "changes.table.change_table",
        "comparison",
        "model",
    )
)
"""These import the drawings above them in their ``_repr_html_``, where a notebook looks for it."""
MOST_MODULES = 14
CATALOGUE = "modeldiff/architectures/families/known"
"""The one folder that grows by a module a family."""

TESTS = frozenset(path.name for path in (ROOT / "tests").rglob("test_*.py"))


def modules() -> Iterator[Path]:
    yield ROOT / "streamlit_app.py"
    yield from sorted((ROOT / "pages").glob("*.py"))
    yield from sorted((ROOT / "modeldiff").rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Each module's imports within the project, late ones too."""
    known = {name_of(path) for path in modules()} | {"modeldiff"}
    found: dict[str, frozenset[str]] = {}
    for path in modules():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} imports relatively"
                assert node.module is not None
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                modules_among = inside & known
                wanted |= modules_among or {node.module}
        mine = name_of(path)
        found[mine] = frozenset(
            "modeldiff.__init__" if name == "modeldiff" else name
            for name in wanted & known
            if name != mine and not (name == NOTEBOOK and mine in SHOW_THEMSELVES)
        )
    return found


def floor_of(module: str) -> tuple[int, str]:
    parts = module.split(".")
    part = parts[1] if parts[0] == "modeldiff" else parts[0]
    level = next((level for level, names in enumerate(FLOORS) if part in names), None)
    assert level is not None, f"{module} stands on no floor: add it to FLOORS"
    return level, part


def test_a_floor_imports_only_floors_below_it() -> None:
    wrong = []
    for module, wanted in imports().items():
        level, part = floor_of(module)
        for other in wanted:
            below, its_part = floor_of(other)
            same = part == its_part or (level == below and FLOORS[level] in OPEN_FLOORS)
            if below > level or (below == level and not same):
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_no_two_rooms_beside_each_other_import_each_other_in_a_circle() -> None:
    folders = {path.parent for path in modules() if "modeldiff" in path.parts}
    for parent in folders:
        rooms = {child.name for child in parent.iterdir() if child in folders}
        prefix = ".".join(parent.relative_to(ROOT).parts) + "."
        graph: dict[str, set[str]] = {room: set() for room in rooms}
        for module, wanted in imports().items():
            mine = module.removeprefix(prefix).split(".")[0]
            if module.startswith(prefix) and mine in rooms:
                others = {
                    w.removeprefix(prefix).split(".")[0] for w in wanted if w.startswith(prefix)
                }
                graph[mine] |= (others & rooms) - {mine}
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"rooms of {parent.relative_to(ROOT)} in a circle: {error.args[1]}")


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(imports()).prepare()
    except CycleError as error:
        pytest.fail(f"modules in a circle: {error.args[1]}")


def test_no_room_has_too_many_modules() -> None:
    folders: dict[str, int] = {}
    for path in modules():
        if path.name != "__init__.py":
            folder = str(path.parent.relative_to(ROOT))
            folders[folder] = folders.get(folder, 0) + 1
    folders.pop(CATALOGUE)
    assert {name: count for name, count in folders.items() if count > MOST_MODULES} == {}


def public_names(path: Path) -> Iterator[str]:
    """The classes, functions and constants that a module defines for others."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names: list[str] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from (name for name in names if not name.startswith("_"))


def test_a_public_name_means_one_thing() -> None:
    homes: dict[str, set[str]] = {}
    for path in modules():
        # What a page names is seen by nobody: it is run from top to bottom.
        if "modeldiff" in path.relative_to(ROOT).parts:
            for name in public_names(path):
                homes.setdefault(name, set()).add(name_of(path))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_only_the_app_knows_streamlit() -> None:
    knows = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            if any(name.split(".")[0] == "streamlit" for name in names):
                knows.add(floor_of(name_of(path))[1])
    assert knows <= {"ui", "pages", "streamlit_app"}


def test_no_test_imports_another() -> None:
    """What several need is in ``tests/support``, or the ``conftest.py`` of their folder."""
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = {*node.module.split("."), *(alias.name for alias in node.names)}
                among = {f"{part}.py" for part in parts} & TESTS
                assert not among, f"{path.relative_to(ROOT)} imports {among}"


def test_a_diff_on_the_cpu_does_not_import_torch() -> None:
    script = (
        "import sys, modeldiff\n"
        "assert list(modeldiff.diff('demo:base', 'demo:tuned', device='cpu', cache=False))\n"
        "assert 'streamlit' not in sys.modules and 'torch' not in sys.modules, 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, timeout=300)
