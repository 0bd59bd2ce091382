"""`ss.bench.tables/1`: the columns of a benchmark's tables, with unit and meaning of each.

They stand in the field metadata of the Parquet files, as in the traces of a run. Null means not
applicable.
"""

from ss_core.record.schema import Column, Table

TABLES_SCHEMA = "ss.bench.tables/1"

CELL_KEY = ("task", "num_agents", "preset", "algorithm", "variant")
CELL = (
    Column("task", "string", "", "name of the task"),
    Column("num_agents", "int32", "1", "number of agents"),
    Column("preset", "string", "", "hyper-parameters: paper (as published) or tuned (ours)"),
    Column("algorithm", "string", "", "name of the algorithm"),
    Column("variant", "string", "", "change to the preset; empty for none"),
)
SETTING = CELL[:3]
SEED = Column("seed", "int32", "1", "seed of the run")
RUNS = Column("num_runs", "int32", "1", "runs, that is seeds")
RETURN_UNIT = "1/step"

# ruff: noqa: E501
# fmt: off
_TABLES = (  # one line per column, however long
    Table("run", "a training run and its evaluation", "kpi", (*CELL_KEY, "seed"), (
        *CELL,
        SEED,
        Column("num_updates", "int32", "1", "learner updates done"),
        Column("planned_updates", "int32", "1", "learner updates of a finished run"),
        Column("num_envs", "int32", "1", "episodes per update"),
        Column("final_return", "float64", RETURN_UNIT, "averaged return: external reward per agent and step, mean of the evaluation episodes"),
        Column("training_return", "float64", RETURN_UNIT, "averaged return, mean over the whole training (area under the learning curve)"),
        Column("lowest_agent_return", "float64", RETURN_UNIT, "the agent with least, mean of the evaluation episodes", "private"),
        Column("highest_agent_return", "float64", RETURN_UNIT, "the agent with most, mean of the evaluation episodes", "private"),
        Column("exchanged_bytes", "int64", "B", "sent by all agents together over the whole training", "exchanged"),
    )),
    Table("curve", "a value at one point of a learning curve", "kpi", (*CELL_KEY, "seed", "update", "name"), (
        *CELL,
        SEED,
        Column("update", "int32", "1", "learner updates done"),
        Column("episode", "int64", "1", "training episodes done"),
        Column("name", "string", "", "averaged_return, rate_all, rate_mixed, rate_none, suggestion_mse or suggested_cooperation"),
        Column("value", "float64", "1", "mean over the updates since the point before"),
    )),
    Table("final", "the final returns of a cell", "kpi", CELL_KEY, (
        *CELL,
        RUNS,
        Column("num_unfinished", "int32", "1", "of these, runs that were stopped before their end"),
        Column("iqm", "float64", RETURN_UNIT, "interquartile mean over seeds of the final averaged return"),
        Column("iqm_low", "float64", RETURN_UNIT, "lower end of its 95 % bootstrap interval"),
        Column("iqm_high", "float64", RETURN_UNIT, "upper end of its 95 % bootstrap interval"),
        Column("mean", "float64", RETURN_UNIT, "mean over seeds"),
        Column("normalised", "float64", "1", "iqm with 0 at the worst and 1 at the best algorithm of the task, size and preset, of finished runs if two have any; null where they are level"),
        Column("normalised_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("normalised_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
    )),
    Table("improvement", "SS against a rival, or against a variant of itself", "kpi", ("task", "num_agents", "preset", "rival", "rival_variant"), (
        *SETTING,
        Column("rival", "string", "", "algorithm SS is compared with"),
        Column("rival_variant", "string", "", "its variant; empty for none"),
        RUNS,
        Column("num_rival_runs", "int32", "1", "runs of the rival"),
        Column("probability", "float64", "1", "chance that a run of SS ends higher than one of the rival; a tie counts half"),
        Column("probability_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("probability_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
        Column("difference", "float64", RETURN_UNIT, "interquartile mean of SS less that of the rival"),
        Column("difference_low", "float64", RETURN_UNIT, "lower end of its 95 % bootstrap interval"),
        Column("difference_high", "float64", RETURN_UNIT, "upper end of its 95 % bootstrap interval"),
    )),
    Table("joint_action", "how often k agents cooperate", "kpi", (*CELL_KEY, "cooperators"), (
        *CELL,
        Column("cooperators", "int32", "1", "k: agents that cooperate in a step"),
        Column("name", "string", "", "D-D, C-D or C-C with two agents, else null"),
        RUNS,
        Column("share", "float64", "1", "share of the evaluation's steps, interquartile mean over seeds"),
        Column("share_low", "float64", "1", "lower end of its 95 % bootstrap interval"),
        Column("share_high", "float64", "1", "upper end of its 95 % bootstrap interval"),
    )),
    Table("exchange", "what a kind of message costs in a cell", "kpi", (*CELL_KEY, "kind"), (
        *CELL,
        Column("kind", "string", "", "kind of message"),
        RUNS,
        Column("bytes_per_agent_update", "float64", "B", "sent per agent and update, mean over runs", "exchanged"),
    )),
    Table("progress", "how far the runs of a cell have come", "kpi", CELL_KEY, (
        *CELL,
        Column("num_seeds", "int32", "1", "seeds asked for"),
        Column("num_finished", "int32", "1", "runs that have trained to their end"),
        Column("num_unfinished", "int32", "1", "runs that were stopped before, and evaluated there"),
        Column("episodes", "float64", "1", "training episodes done, mean over the seeds asked for"),
        Column("planned_episodes", "int64", "1", "training episodes of a finished run; null where no run has any"),
        Column("published_episodes", "int64", "1", "training episodes of the paper; null for small variants"),
    )),
    Table("claim", "a claim, and the preset that decides it", "kpi", ("claim", "preset", "suite", "task"), (
        Column("claim", "string", "", "short name of the claim"),
        Column("preset", "string", "", "hyper-parameters"),
        Column("suite", "string", "", "paper (its tasks) or small (small variants of them)"),
        Column("task", "string", "", "the task, or all"),
        Column("source", "string", "", "paper or ours: who claims it"),
        Column("statement", "string", "", "what is claimed"),
        Column("test", "string", "", "what decides"),
        Column("verdict", "string", "", "holds, does not hold or undecided"),
        Column("figures", "string", "", "the estimates and intervals that decided"),
        Column("beside", "string", "", "more estimates and intervals, which do not decide"),
        Column("note", "string", "", "what to know beside them"),
        Column("num_runs", "int32", "1", "fewest seeds of a cell that the verdict rests on"),
        Column("published_share", "float64", "1", "training episodes done by what is compared, as a share of the published ones; null for our own claims and small variants"),
    )),
)
# fmt: on

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
