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
        ("ss_core", "import gridsim.env", ["gridsim"]),
        ("gridsim", "from trafficsim import network", ["trafficsim"]),
        ("gridsim", "def f():\n    from cli.app import run", ["cli"]),
        ("gridsim", "from . import env", ["."]),
        ("gridsim", "from ss_core.env import Step\nimport gridsim.env", []),
        ("cli", "import gridsim.env, ss_core.runs", []),
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
