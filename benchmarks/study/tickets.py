"""Generated blocks on tickets: verdicts of ``analysis``, and means with intervals."""

import pandas as pd
from rich.console import Console

from analysis.attacks import attacks, clean_column
from analysis.claims import CLAIMS, claims
from analysis.contrast import bracketed
from analysis.intervals import interval
from analysis.sweep import Problem, Sweep
from analysis.terminal import show
from analysis.tickets.attack_checks import check_lines
from analysis.tickets.baselines import DENSE, baselines
from analysis.tickets.control_findings import controls as of_controls
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.tickets.opponents import dense_against_hedges
from analysis.tickets.opponents import sentences as of_opponents
from analysis.tickets.robustness import TICKET, robust_against_standard, robustness_table
from analysis.tickets.robustness_findings import robustness
from analysis.tickets.summary import summary
from analysis.tickets.terminal_tables import overview
from analysis.wording import amount, percent, plural
from benchmarks.study.pages import bullets, table
from benchmarks.study.sweeps import Published

TOLERANCE = 0.05
_WIDTH = 120
_SHOWN = {True: "shown", False: "shown to lose more", None: "neither shown"}
_BEYOND = {
    "fails": "with {} it is shown to lose more",
    "undecided": "with {} neither this nor a larger loss is shown",
    "not swept": "no sparser one was trained",
    "not judged": "",
}


def headline(published: Published) -> str:
    """The opponents of the dense network, and the largest efficient sparsity, as a list."""
    sweep = published.sweep
    return bullets([*of_opponents(dense_against_hedges(sweep)), _efficient(sweep)])


def verdicts(published: Published) -> str:
    """Every sparsity of standard tickets, controls and robust training."""
    sweep = published.sweep
    lines = [*_beside_controls(sweep), *_robust(sweep)]
    lines = [line for line in lines if not line.startswith("Verdicts are")]
    return "\n\n".join([_ladder(sweep), bullets(lines)])


def printed_table(published: Published) -> str:
    """The main table of the report, as a terminal of 120 columns prints it."""
    console = Console(width=_WIDTH, markup=False, emoji=False, highlight=False, no_color=True)
    with console.capture() as capture:
        show(console, overview(summary(published.sweep), width=_WIDTH))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    text = "\n".join(line for line in lines if line)
    return f"```\n{text}\n```"


def hedges(published: Published) -> str:
    """Hedges without training and the dense network, best CVaR first."""
    rows = baselines(published.sweep, published.sweep.manifest)
    number = int(rows["preparations"].max())
    attacked = [name for name in map(str, rows.columns) if name.startswith("attacked_cvar_05@")]
    attacked = [name for name in attacked if "_pgd:" in name]
    columns = {"CVaR 5 %": "cvar_05", "turnover": "turnover", "cost paid": "cost_paid"}
    columns |= {f"`{name.partition('@')[2]}`": name for name in attacked}
    cells = [
        {f"mean of {plural(number, 'seed')}": str(row["name"])}
        | {heading: f"{row[name]:.3f}" for heading, name in columns.items()}
        for _, row in rows.iterrows()
    ]
    beaten = of_opponents(dense_against_hedges(published.sweep))
    return "\n\n".join([table(cells, numbers=tuple(columns)), *beaten])


def robust_results(published: Published) -> str:
    """CVaR of the dense network, standard and robust tickets, and verdicts on robustness."""
    sweep = published.sweep
    rows = robustness_table(sweep)
    (pair,) = robust_against_standard(sweep)["sparsity"].unique()
    rows = rows[rows["network"].ne(TICKET) | rows["sparsity"].eq(pair)]
    attack_list = attacks(sweep.trials)
    metrics = {"clean": clean_column(attack_list)}
    metrics |= {f"`{attack}`": attack.column for attack in attack_list}
    cells = []
    for _, row in rows.iterrows():
        name = "dense network"
        if row["network"] != DENSE:
            name = f"ticket of {percent(row['sparsity'])}, trained at {row['epsilon']:g}"
        named = {f"CVaR 5 %, {plural(published.seeds, 'seed')}": name}
        cells.append(named | {heading: bracketed(row, m) for heading, m in metrics.items()})
    lines = [*_robust(sweep), *check_lines(sweep)]
    return table(cells, numbers=tuple(metrics)) + "\n\n" + bullets(lines)


def control_results(published: Published) -> str:
    """Verdicts on tickets against their controls, as a list."""
    return bullets(_beside_controls(published.sweep))


def claim_rows(published: Published) -> list[dict[str, str]]:
    """Rows of the table of claims that the stored tables can judge."""
    page = claims(published.sweep)
    page = page[page["effect"].notna()]
    return [_claim(row) for _, row in page.iterrows()]


def _claim(row: pd.Series) -> dict[str, str]:
    ends = {"effect": row["effect"], "effect_low": row["low"], "effect_high": row["high"]}
    effect = bracketed(ends, "effect", signed=True)
    return {
        "claim": CLAIMS[row["claim"]].statement.format(tolerance=percent(TOLERANCE)),
        "verdict": f"**{row['verdict']}**",
        "mean effect [95 %]": f"{effect} {row['unit']}, {plural(int(row['seeds']), 'seed')}",
        "of": str(row["subject"]),
        "against": str(row["controls"]).replace("dense", "the dense network"),
    }


def _efficient(sweep: Sweep) -> str:
    """Sentence on the sparsest standard ticket that is shown to be efficient."""
    answer = max_efficient_sparsity(sweep, tolerance=TOLERANCE)
    row = answer[~answer["epsilon"].gt(0.0)].iloc[0]
    most, limit = row["max_efficient_sparsity"], row["limit"]
    margin = f"{percent(TOLERANCE)} of the dense network's CVaR"
    if pd.isna(most):
        return f"No ticket is shown to lose at most {margin}."
    beyond = _BEYOND[row["limited_by"]].format("" if pd.isna(limit) else _weights(sweep, limit))
    return (
        f"With {_weights(sweep, most)}, the output layer included, a ticket is shown to lose at "
        f"most {margin}; {beyond}."
    )


def _weights(sweep: Sweep, sparsity: float) -> str:
    """Weights of a standard ticket, with those of the output layer, which is not pruned."""
    rows = summary(sweep)
    row = rows[rows["sparsity"].eq(sparsity) & ~rows["epsilon"].gt(0.0)].iloc[0]
    pruning, hidden = (sweep.manifest["study"][name] for name in ("pruning", "network"))
    output = 0 if pruning["prune_output"] else int(hidden["hidden"][-1])
    kept, total = (int(row[name]) + output for name in ("weights_kept", "weights_total"))
    return f"{kept:,} of {total:,} weights ({100 * kept / total:.1f} %)"


def _ladder(sweep: Sweep) -> str:
    """A row per sparsity of standard tickets."""
    (problem,) = sweep.problems
    passes = sparsity_passes(sweep, tolerance=TOLERANCE)
    rows = [
        {
            "sparsity": percent(row["sparsity"]),
            "with the output layer": _weights(sweep, row["sparsity"]),
            "CVaR 5 %": amount(row["cvar_05"]),
            "less that of the dense network [95 %]": _difference(problem, row),
            "loses at most 5 % of it": _SHOWN[
                None if pd.isna(row["passes"]) else bool(row["passes"])
            ],
        }
        for _, row in passes[~passes["epsilon"].gt(0.0)].iterrows()
    ]
    return table(rows, numbers=("sparsity", "with the output layer", "CVaR 5 %"))


def _difference(problem: Problem, row: pd.Series) -> str:
    (ticket,) = (
        one
        for one in problem.chosen()
        if one.sparsity == row["sparsity"] and not one.epsilon > 0.0
    )
    ends = interval(ticket.by_seed("cvar_05_minus_dense"))
    difference = {"d": row["cvar_05_minus_dense"], "d_low": ends.low, "d_high": ends.high}
    return bracketed(difference, "d", signed=True)


def _beside_controls(sweep: Sweep) -> list[str]:
    return of_controls(controls(sweep, sweep.manifest, tolerance=TOLERANCE), tolerance=TOLERANCE)


def _robust(sweep: Sweep) -> list[str]:
    rows = robust_against_standard(sweep, tolerance=TOLERANCE)
    return robustness(rows, sweep.tickets, sweep.manifest, tolerance=TOLERANCE)
