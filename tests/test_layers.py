"""Who may import whom, and what no package may contain: read from the source, nothing is run."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "ss_core": set[str](),
    "paper_envs": {"ss_core"},
    "gridsim": {"ss_core"},
    "trafficsim": {"ss_core"},
    "cli": {"ss_core", "paper_envs", "gridsim", "trafficsim"},
}
ROOMS = {  # of each package, from the ground up: a room imports only itself and those before it
    "ss_core": (
        *("errors", "resources", "random_streams", "statistics", "config", "env"),
        *("adapters.user_code", "algorithms.names"),
        *("objective", "testing", "policies", "exchange", "learning", "algorithms"),
        *("record", "processes", "training", "adapters", "analysis", "report"),
        *("scenario", "experiments"),
    ),
    "gridsim": (
        *("network", "own_data", "households", "game", "powerflow", "references", "instruments"),
        *("config", "stage", "results", "scenario", "privacy", "report"),
    ),
    "trafficsim": (
        *("nets", "demand", "sumo", "link_model", "signals", "routing", "references", "results"),
        *("scenario", "report"),
    ),
    "paper_envs": (
        *(
            "predation",
            "navigation",
            "grid",
            "preset_names",
            "tasks",
            "presets",
            "scripted",
            "parallel",
        ),
        *("training", "pictures", "bench.results", "bench.runs", "bench.claims"),
        *("bench.figures", "bench.page", "bench", "dilemma"),
    ),
    "cli": (
        *("app", "settings", "options", "render", "live_table", "worlds"),
        *("commands.runs", "run_command", "commands", "commands.bench", "ss", "__main__"),
    ),
}
MOST_FILES = 14  # at the top of a package or room
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNSAFE_BUILTINS = {"eval", "exec"}
UNSAFE_ATTRIBUTES = {
    ("torch", "load"),
    ("torch", "save"),
    ("yaml", "load"),
    ("pandas", "read_pickle"),
    ("pandapower", "from_pickle"),
}
ALIASES = {"pd": "pandas", "pp": "pandapower"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def crossings(package: str, tree: ast.AST) -> list[str]:
    roots = {name.split(".")[0] for name in imported(tree) if not name.startswith(".")}
    relative = [name for name in imported(tree) if name.startswith(".")]
    forbidden = LAYERS.keys() - LAYERS[package] - {package} | {"tests", "benchmarks"}
    return sorted(roots & forbidden) + relative


def unsafe(tree: ast.AST) -> list[str]:
    found = [name for name in imported(tree) if name.split(".")[0] in UNSAFE_MODULES]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in UNSAFE_BUILTINS:
                found.append(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                if (ALIASES.get(owner, owner), name) in UNSAFE_ATTRIBUTES:
                    found.append(f"{owner}.{name}")
        for keyword in node.keywords:
            allows = not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
            if keyword.arg == "allow_pickle" and allows:
                found.append("allow_pickle")
    return found


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_the_layers_below_it(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): crossed
        for path in modules(package)
        if (crossed := crossings(package, ast.parse(path.read_bytes())))
    }
    assert found == {}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room of a module: the longest of the package's rooms that its name begins with."""
    package, _, rest = module.partition(".")
    found = [room for room in ROOMS[package] if rest == room or rest.startswith(f"{room}.")]
    return max(found, key=len, default="")


def upward(module: str, source: str, known: set[str]) -> list[str]:
    """Imports of a module that lead to a room above its own."""
    package, order = module.split(".")[0], ROOMS[module.split(".")[0]]
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        names = list(imported(ast.Module([node], []))) if isinstance(node, ast.stmt) else []
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name in known and name.startswith(f"{package}."):
                here, there = room_of(module), room_of(name)
                if here and there and order.index(there) > order.index(here):
                    found.add(f"{module} → {name}")
    return sorted(found)


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_only_rooms_below_them(package: str) -> None:
    paths = {name_of(path): path for path in modules(package)}
    homeless = [name for name in paths if name != package and not room_of(name)]
    assert [name for name in homeless if name != "paper_envs.bench"] == []
    found = [
        line
        for name, path in paths.items()
        for line in upward(name, path.read_text(encoding="utf-8"), set(paths))
    ]
    assert found == []


@pytest.mark.parametrize("package", ROOMS)
def test_no_room_is_crowded_and_each_says_in_a_sentence_what_it_holds(package: str) -> None:
    folders = {path.parent for path in modules(package)}
    crowded = {f.name: len(list(f.glob("*.py"))) for f in folders}
    assert {name: count for name, count in crowded.items() if count > MOST_FILES} == {}
    for folder in folders:
        words = ast.get_docstring(ast.parse((folder / "__init__.py").read_bytes()))
        assert words, folder


def test_the_check_of_rooms_sees_an_arrow_that_leads_up() -> None:
    known = {"ss_core.objective.theory", "ss_core.learning.update"}
    lazy = "def f():\n    from ss_core.learning.update import learn"
    up = ["ss_core.objective.theory → ss_core.learning.update"]
    assert upward("ss_core.objective.theory", lazy, known) == up
    assert upward("ss_core.learning.update", "import ss_core.objective.theory", known) == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_package_runs_code_that_it_reads(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in modules(package)
        if (names := unsafe(ast.parse(path.read_bytes())))
    }
    assert found == {}


def test_what_the_packages_import_is_installed_with_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {normal(re.split(r"[<>=!~;\[ ]", line)[0]) for line in project["dependencies"]}
    distributions = packages_distributions()
    trees = [ast.parse(path.read_bytes()) for package in LAYERS for path in modules(package)]
    roots = {name.split(".")[0] for tree in trees for name in imported(tree)}
    foreign = roots - LAYERS.keys() - sys.stdlib_module_names
    missing = {
        name for name in foreign if not declared & set(map(normal, distributions.get(name, [name])))
    }
    assert missing == set()


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_package_in_the_checkout_has_a_layer() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} <= LAYERS.keys()
    assert {"ss_core", "gridsim", "trafficsim", "cli"} <= packages


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("ss_core", "import gridsim.game.env", ["gridsim"]),
        ("gridsim", "from trafficsim import network", ["trafficsim"]),
        ("gridsim", "def f():\n    from cli.app import run", ["cli"]),
        ("gridsim", "from . import env", ["."]),
        ("gridsim", "from ss_core.env import Step\nimport gridsim.game.env", []),
        ("cli", "import gridsim.game.env, ss_core.record.run_directory", []),
    ],
)
def test_the_layer_check_sees_what_it_should(
    package: str, source: str, expected: list[str]
) -> None:
    assert crossings(package, ast.parse(source)) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pickle", ["pickle"]),
        ("from pickle import loads", ["pickle"]),
        ("torch.load(path)", ["torch.load"]),
        ("pp.from_pickle(path)", ["pp.from_pickle"]),
        ("eval('1')", ["eval"]),
        ("np.load(path, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(path, allow_pickle=False)", []),
        ("model.eval()", []),
    ],
)
def test_the_safety_check_sees_what_it_should(source: str, expected: list[str]) -> None:
    assert unsafe(ast.parse(source)) == expected
