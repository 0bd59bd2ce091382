"""The chapter about the exchange: what crossed between agents, who sent to whom, is it followed."""

import numpy as np

from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.charts import Series, line_chart, matrix_chart
from ss_core.report.page_model import Chart, Item, Section, Table, Text

LARGEST_MATRIX = 250  # agents
KINDS = {
    "announcement": "announcements of past jobs",
    "own_policy": "own policies (“this is what I would do”)",
    "suggestion": "suggestions (“this is what I suggest you do”)",
    "reward": "rewards",
    "observation": "observations",
    "advantage": "advantages",
    "critic_parameters": "parameters of value functions",
    "reward_parameters": "parameters of reward models",
    "policy_parameters": "parameters of policies",
    "cost_total": "running sums of trial-day costs, under a mask",
    "return_total": "running sums of returns in a pilot, under a mask",
    "scale_total": "running sums of the sizes of advantages, under a mask",
}


def exchange_section(data: RunData, algorithm: str) -> Section:
    """What crossed between agents: by kind, and who sent to whom."""
    intro = (
        "All that passes from agent to agent passes one channel, whose ledger this is. Rewards, "
        "bills, preferences, values and parameters are not in it unless a line says so."
    )
    sums = _message_sums(data, algorithm)
    items: list[Item] = []
    if sums is None:
        items.append(
            Text("Nothing crossed, or messages were not traced (trace level agent writes them).")
        )
    else:
        items += [_kinds_table(sums), *_who_to_whom(sums)]
    follow = _following_chart(data, algorithm)
    return Section(
        slug="exchange",
        title="What was exchanged, and is it followed",
        intro=intro,
        items=(*items, *([follow] if follow else [])),
    )


def _message_sums(data: RunData, algorithm: str) -> Frame | None:
    """Bytes and messages by kind, sender and receiver; None without any."""
    keys = ["kind", "src_agent_id", "dst_agent_id"]
    rows = data.arrow("message", [*keys, "n_messages", "n_bytes"], {"algorithm": algorithm})
    if not rows.num_rows:
        return None
    return rows.group_by(keys).aggregate([("n_messages", "sum"), ("n_bytes", "sum")]).to_pandas()


def _kinds_table(sums: Frame) -> Table:
    by_kind = sums.groupby("kind")[["n_messages_sum", "n_bytes_sum"]].sum()
    senders = max(1, sums["src_agent_id"].nunique())
    rows = [
        (
            KINDS.get(str(kind), str(kind)),
            int(count),
            count_bytes / 1e6,
            count_bytes / 1e3 / senders,
        )
        for kind, (count, count_bytes) in zip(by_kind.index, by_kind.to_numpy(), strict=True)
    ]
    return Table(
        columns=("what", "messages", "MB in all", "kB per sender"),
        rows=rows,
        caption="Counted by the channel's ledger while learning; nothing is sent afterwards",
    )


def _who_to_whom(sums: Frame) -> list[Item]:
    names = sorted({*sums["src_agent_id"], *sums["dst_agent_id"]})
    if len(names) > LARGEST_MATRIX:
        return [
            Text(f"A matrix of {len(names)} agents is too fine to see; query the table message.")
        ]
    at = {name: position for position, name in enumerate(names)}
    kilobytes = np.zeros((len(names), len(names)))
    rows, columns = sums["src_agent_id"].map(at), sums["dst_agent_id"].map(at)
    np.add.at(
        kilobytes, (rows.to_numpy(), columns.to_numpy()), sums["n_bytes_sum"].to_numpy() / 1e3
    )
    pairs = np.argwhere(kilobytes > 0)
    most = sorted(pairs.tolist(), key=lambda pair: -kilobytes[pair[0], pair[1]])
    share = 100 * len(pairs) / max(1, len(names) * (len(names) - 1))
    title = (
        f"Who sent to whom: {len(pairs)} directed pairs, {share:.0f} % of all, exchanged something"
    )
    return [
        Chart(
            slug="exchange-matrix",
            title=title,
            alt=f"{title}. Rows are senders, columns receivers, colour kilobytes.",
            panels=(
                matrix_chart(kilobytes, row_title="sender", column_title="receiver", unit="kB"),
            ),
            table=Table(
                columns=("sender", "receiver", "kB"),
                rows=[(names[i], names[j], float(kilobytes[i, j])) for i, j in most],
            ),
            note="Agents are numbered in the order of their names.",
            height_px=460,
        )
    ]


def _following_chart(data: RunData, algorithm: str) -> Chart | None:
    where = {"name": "suggestion_mse", "algorithm": algorithm}
    rows = data.table("metric", ["update", "value"], where).sort_values("update")
    if rows.empty:
        return None
    x, y = rows["update"].to_numpy(), rows["value"].to_numpy()
    series = Series(name="policy against suggestions", role="ours", x=x, y=y)
    title = f"Policies differ from the suggestions received by {y[-1]:.2g} at the end"
    return Chart(
        slug="following",
        title=title,
        alt=f"Mean squared error of probabilities: what agents do against what others suggest, "
        f"from {y[0]:.2g} to {y[-1]:.2g}.",
        panels=(
            line_chart(
                [series],
                x_title="update",
                y_title="mean squared error",
                y_axis={"type": "log"} if (y > 0).all() else {},
            ),
        ),
        table=Table(
            columns=("update", "mean squared error"),
            rows=[(int(a), float(b)) for a, b in zip(x, y, strict=True)],
        ),
        note="0 means that everybody does what the others suggest.",
    )
