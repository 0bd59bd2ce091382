"""A new algorithm is one file: dropped into the folder, or anybody's own as module:ALGORITHM."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import ss_core.algorithms
from cli.commands.algorithms import algorithms
from ss_core.algorithms import ALGORITHMS, names
from ss_core.algorithms.algorithm import Algorithm
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.names import ALGORITHM_FACTS, ALGORITHM_LABELS, facts_in
from ss_core.algorithms.registry import algorithm_named
from ss_core.config import from_dict, to_dict
from ss_core.errors import ConfigError, InputError
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.training.loop import Training
from tests.support.probe_envs import mutual_help

FOLDER = Path(ss_core.algorithms.__file__).parent
RECORD = """
from ss_core.algorithms import independent
from ss_core.algorithms.algorithm import Algorithm

ALGORITHM = Algorithm(
    name="new",
    title="New, learned",
    description="everybody for itself, by another name",
    crosses="nothing crosses",
    learn=independent.learn,
)
"""
SMALL = LearnerConfig(hidden=(4,), critic_hidden=(4,), num_envs=4)


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    return f"{name}:ALGORITHM"


def broken(**changes: str) -> str:
    """The record with facts written otherwise."""
    lines = [str(line) for line in RECORD.splitlines()]
    for name, value in changes.items():
        here = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{name}="))
        lines[here] = f"    {name}={value},"
    return "\n".join(lines)


def test_facts_read_from_the_source_are_those_of_the_records() -> None:
    paper = ["ss", "independent", "centralised", "vps", "vs", "ps", "imr"]
    assert [*ALGORITHM_FACTS] == [*paper, "reward_transfer", "svo"]
    assert [name for name, facts in ALGORITHM_FACTS.items() if facts.in_paper] == paper
    assert [*ALGORITHMS] == [*ALGORITHM_FACTS]
    for name, facts in ALGORITHM_FACTS.items():
        for field in names.AlgorithmFacts.__dataclass_fields__:
            assert getattr(ALGORITHMS[name], field) == getattr(facts, field)
        assert len(f"{facts.description}: {facts.crosses}") < 80


def test_an_update_puts_at_most_so_many_messages_on_a_link() -> None:
    counts = {name: facts.messages_per_link for name, facts in ALGORITHM_FACTS.items()}
    wanted = {"ss": 3, "independent": 0, "centralised": 2, "vps": 4, "vs": 1, "ps": 2, "imr": 0}
    assert counts == wanted | {"reward_transfer": 1, "svo": 1}


def test_an_algorithm_is_added_by_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(FOLDER, tmp_path / "algorithms")
    (tmp_path / "algorithms" / "new.py").write_text(RECORD)
    facts = facts_in(tmp_path / "algorithms")
    assert [*facts] == [*ALGORITHM_FACTS, "new"]
    monkeypatch.setattr(names, "ALGORITHM_FACTS", facts)
    listed = CliRunner().invoke(algorithms, ["--json"])
    rows = json.loads(listed.output)["algorithms"]
    assert {row["algorithm"]: row["in_paper"] for row in rows} == {
        name: name not in ("reward_transfer", "svo", "new") for name in facts
    }
    assert LearnerConfig(algorithm="new").algorithm == "new"


@pytest.mark.parametrize("in_paper", [False, True])
def test_every_list_has_an_algorithm_whose_file_lies_in_the_folder(
    tmp_path: Path, *, in_paper: bool
) -> None:
    """In a process of its own, in whose copy of the package there is one file more.

    The benchmark's plan, which is the paper's, has it only if its record says that it is in there.
    """
    root = FOLDER.parents[1]
    for package in ("ss_core", "paper_envs", "cli"):
        shutil.copytree(root / package, tmp_path / package)
    record = RECORD.replace("    learn=", f"    in_paper={in_paper},\n    learn=")
    (tmp_path / "ss_core" / "algorithms" / "new.py").write_text(record)
    program = (
        "from paper_envs.bench.figures.style import algorithm_style\n"
        "from paper_envs.bench.runs.plan import ALGORITHMS as planned\n"
        "from paper_envs.training.labels import LABELS\n"
        "from ss_core.algorithms import ALGORITHMS\n"
        "from ss_core.algorithms.names import ALGORITHM_LABELS\n"
        "from ss_core.report.labels import title_of\n"
        "style = algorithm_style('new')\n"
        "title = title_of(LABELS, 'new')\n"
        "print([*ALGORITHMS][-1], 'new' in planned, title, ALGORITHM_LABELS['new'], style.title)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    label = ("New, learned", "ours")
    assert done.stdout == f"new {in_paper} {label[0]} {label} new\n", done.stderr


def test_names_and_labels_need_no_torch() -> None:
    program = (
        "import sys, ss_core.algorithms.names as names\n"
        "print('torch' in sys.modules, *names.ALGORITHM_LABELS['independent'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False selfish, learned selfish\n"
    assert ALGORITHM_LABELS["ss"] == ("SS (suggestions only)", "ours")


def test_ones_own_algorithm_learns_as_if_it_were_of_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_module(tmp_path, monkeypatch, "own_algorithm", RECORD)
    results = []
    for name in (target, "independent"):
        config = replace(SMALL, algorithm=name)
        assert from_dict(LearnerConfig, to_dict(config), where="file") == config
        env = mutual_help(num_envs=4)
        learner = build_learner(config, env.spec, seed=0)
        Training(learner, env, Channel(config.exchange, 2, seed=0), seed=0).advance()
        results.append((learner.facts.name, learner_tensors(learner)))
    (own, new), (_, plain) = results
    assert own == "new"
    assert new.keys() == plain.keys()
    assert all((new[k] == tensor).all() for k, tensor in plain.items())


RULES = {
    "name": (broken(name='"../new"'), "name must match"),
    "shipped": (broken(name='"ss"'), "that of an algorithm of this package"),
    "untitled": (broken(title='""'), "title, description and crosses must be text"),
    "number": (broken(title="3"), "title, description and crosses must be text"),
    "long": (broken(title="'x' * 81"), "at most 80 characters"),
    "role": (broken(crosses='"nothing", role="king"'), "role must be one of uncontrolled"),
    "kind": (broken(crosses='"all", exchanges=("gossip",)'), "kinds of messages are announcement"),
    "listed": (broken(crosses='"all", exchanges="reward"'), "exchanges must be a tuple"),
    "needs": (broken(crosses='"all", needs=("luck",)'), "needs must be among cooperative_actions"),
    "value": (broken(learn="3"), "learn must be a function of (learner, rollout, env, channel,"),
    "arguments": (broken(learn="lambda learner: {}"), "learn must be a function of"),
    "prepare": (broken(learn="independent.learn, prepare=len"), "prepare must be a function of"),
}


def test_a_record_that_breaks_a_rule_is_refused_by_that_rule(tmp_path: Path) -> None:
    """Where no types are checked, as they are in tests."""
    for name, (text, _) in RULES.items():
        (tmp_path / f"bad_{name}.py").write_text(text)
    program = (
        "import sys\n"
        "from ss_core.algorithms.registry import algorithm_named\n"
        "from ss_core.errors import ConfigError\n"
        "for name in sys.argv[1:]:\n"
        "    try: algorithm_named(f'bad_{name}:ALGORITHM')\n"
        "    except ConfigError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *RULES],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(FOLDER.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    for line, (_, rule) in zip(done.stdout.splitlines(), RULES.values(), strict=True):
        assert rule in line


@pytest.mark.parametrize(
    ("target", "text", "kind", "words"),
    [
        ("own:ALGORITM", RECORD, InputError, "did you mean 'ALGORITHM'"),
        ("own:Algorithm", RECORD, ConfigError, "is a type; it must be an"),
        ("nowhere:ALGORITHM", RECORD, InputError, "No module named 'nowhere'"),
        ("own:ALGORITHM", "1 / 0", InputError, "ZeroDivisionError"),
        ("sss", RECORD, ConfigError, "no algorithm 'sss': did you mean 'ss'"),
    ],
)
def test_what_cannot_be_loaded_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    text: str,
    kind: type[Exception],
    words: str,
) -> None:
    write_module(tmp_path, monkeypatch, "own", text)
    with pytest.raises(kind, match=words):
        algorithm_named(target)


@pytest.mark.parametrize("name", ["sss", "", "a b:c", "os.system:"])
def test_settings_refuse_what_is_no_algorithm(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no algorithm {name!r}"):
        from_dict(LearnerConfig, {"algorithm": name}, where="file")


def test_settings_alone_import_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_module(tmp_path, monkeypatch, "must_not_run", "raise SystemExit")
    assert from_dict(LearnerConfig, {"algorithm": target}, where="file").algorithm == target
    assert "must_not_run" not in sys.modules


def test_ones_own_algorithm_is_checked_against_the_settings_when_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_module(tmp_path, monkeypatch, "own_algorithm", RECORD)
    config = replace(SMALL, algorithm=target, exchange=ExchangeConfig(liars=0.5))
    with pytest.raises(ConfigError, match="liars lie in suggestions"):
        build_learner(config, mutual_help(num_envs=4).spec, seed=0)


def test_a_fact_that_is_computed_is_refused_in_this_folder(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text(broken(title="TITLE"))
    with pytest.raises(ConfigError, match="title must be written out"):
        facts_in(tmp_path)
    (tmp_path / "new.py").write_text(broken(name='"other"'))
    with pytest.raises(ConfigError, match="must be that of the file"):
        facts_in(tmp_path)
    assert isinstance(ALGORITHMS["ss"], Algorithm)
