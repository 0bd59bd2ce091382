"""Files that describe studies: what they mean, and one clear error for each that means nothing."""

from pathlib import Path

import pytest

from ss_core.errors import ConfigError
from tests.support.small_studies import AXES, BASE, STUDY, giving, study_text


def test_a_plan_is_every_point_and_seed_with_settings_of_its_own(tmp_path: Path) -> None:
    study = giving(tmp_path)
    assert len(study.plan) == study.spec.num_runs == 8
    assert len({run.name for run in study.plan}) == 8
    first, second, *_ = study.plan
    assert (first.seed, second.seed) == (0, 1)
    assert first.point == {"learner.actor_lr": 0.001, "budget": "4"}
    assert first.config.learner.num_updates == 4
    assert first.config.learner.actor_lr == 0.001
    assert first.config.trace == "kpi"
    assert first.name.startswith("actor_lr=0.001-budget=4-s0-")


def test_keys_may_stand_in_tables_of_their_own(tmp_path: Path) -> None:
    text = study_text(axes={}) + "\n[axes.learner]\nactor_lr = { from = 0.1, to = 0.2 }\n"
    (axis,) = giving(tmp_path, text).spec.axes
    assert (axis.key, axis.values) == ("learner.actor_lr", (0.1, 0.2))


WRONG = {
    "no such axis": (study_text(axes={"learner.actor_rl": "[1.0]"}), "did you mean 'actor_lr'?"),
    "no such section": (study_text(axes={"lerner.gamma": "[1.0]"}), "unknown section 'lerner'"),
    "empty axis": (study_text(axes={"learner.gamma": "[]"}), "makes an empty grid"),
    "no axes": (study_text(axes={}), "[axes] is empty"),
    "wrong type": (study_text(axes={"learner.gamma": '["much"]'}), "valid number (got 'much')"),
    "wrong in base": (
        study_text(base={"learner.gama": "1.0"}),
        "[base]: settings: 1 problem in the configuration\n  [learner] gama: unknown key",
    ),
    "wrong value": (study_text(axes={"learner.num_envs": "[0]"}, base={}), "num_envs"),
    "one key twice": (
        study_text(axes={"algorithm": '["ss"]', "learner.algorithm": '["vps"]'}),
        "[axes] learner.algorithm sets what [axes] algorithm sets (learner.algorithm)",
    ),
    "budget and updates": (
        study_text(axes={**AXES, "learner.num_updates": "[3]"}),
        "[axes] budget sets what [axes] learner.num_updates sets",
    ),
    "in base, too": (
        study_text(axes={"learner.num_envs": "[4, 8]"}),
        "[axes] learner.num_envs sets what [base] learner.num_envs sets",
    ),
    "seeds as an axis": (study_text(axes={"seed": "[1, 2]"}), "[study] seeds says it"),
    "ten million runs": (
        study_text(
            {**STUDY, "seeds": "10"},
            axes={
                "learner.gamma": "{ from = 0.0, to = 1.0, steps = 1000 }",
                "learner.actor_lr": "{ from = 0.1, to = 1.0, steps = 1000 }",
            },
        ),
        "10,000,000 runs (1,000,000 points, 10 seeds), more than 100,000",
    ),
    "other command": (study_text({"command": '"bake"'}), "command = 'bake': choose giving"),
    "other design": (study_text({**STUDY, "design": '"star"'}), "design = 'star'"),
    "samples of a grid": (study_text({**STUDY, "samples": "3"}), "samples: of design"),
    "no samples": (study_text({**STUDY, "design": '"latin-hypercube"'}), "samples = None"),
    "unknown key": (study_text({**STUDY, "sedes": "3"}), "[study] sedes: unknown key"),
    "unknown table": (study_text() + "\n[axis]\n", "[axis]: unknown table"),
    "no table": ("study = 3\n", "study = 3: write it as a table"),
    "no level": (study_text({**STUDY, "above": '"high"'}), "[study] above = 'high'"),
    "no policies": (study_text({**STUDY, "policies": '"ss"'}), "[study] policies = 'ss'"),
    "no key figures": (study_text(base={**BASE, "trace": '"off"'}), "a study is made of key"),
    "nothing differs": (study_text(axes={"budget": '["4", "4updates"]'}), "only 2 differ"),
    "no budget": (study_text(axes={"budget": '["4 bananas"]'}), "budget '4 bananas'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_one_clear_error_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    text, words = WRONG[name]
    with pytest.raises(ConfigError) as refusal:
        giving(tmp_path, text)
    assert words in str(refusal.value)
    assert not (tmp_path / "study").exists()
