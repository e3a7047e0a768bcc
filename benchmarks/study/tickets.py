"""Generated blocks on tickets: verdicts of ``analysis``, and means with intervals."""

from collections.abc import Iterator

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
from analysis.tickets.efficiency import sparsity_passes
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
_OUTCOMES = {
    True: "is shown to lose at most {}",
    False: "is shown to lose more than {}",
    None: "is neither shown to lose at most {} nor to lose more",
}


def headline(published: Published) -> str:
    """The largest sparsity shown to be efficient, the next one, and the opponents, as a list."""
    sweep = published.sweep
    lines = [*of_opponents(dense_against_hedges(sweep)), *_ladder(sweep)]
    lines += _beside_controls(sweep)
    lines += _robust(sweep)
    return bullets(lines)


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
        "mean effect [95 %]": f"{effect} {row['unit']}",
        "of": str(row["subject"]),
        "against": str(row["controls"]),
    }


def _ladder(sweep: Sweep) -> Iterator[str]:
    """A sentence per sparsity of standard tickets, with all of its weights."""
    (problem,) = sweep.problems
    passes = sparsity_passes(sweep, tolerance=TOLERANCE)
    standard = passes[~passes["epsilon"].gt(0.0)]
    output = int(sweep.manifest["study"]["network"]["hidden"][-1])
    for _, row in standard.iterrows():
        kept, total = (int(row[name]) + output for name in ("weights_kept", "weights_total"))
        outcome = None if pd.isna(row["passes"]) else bool(row["passes"])
        shown = _OUTCOMES[outcome].format(f"{percent(TOLERANCE)} of the dense network's CVaR")
        yield (
            f"A ticket with {kept:,} of {total:,} weights ({100 * kept / total:.1f} %, the output "
            f"layer included; sparsity {percent(row['sparsity'])} of the others) {shown}: "
            f"{_difference(problem, row)} over {plural(int(row['seeds']), 'seed')}."
        )


def _difference(problem: Problem, row: pd.Series) -> str:
    (ticket,) = (
        one
        for one in problem.chosen()
        if one.sparsity == row["sparsity"] and not one.epsilon > 0.0
    )
    ends = interval(ticket.by_seed("cvar_05_minus_dense"))
    difference = {"d": row["cvar_05_minus_dense"], "d_low": ends.low, "d_high": ends.high}
    return (
        f"CVaR 5 % {amount(row['cvar_05'])} against {amount(row['dense_cvar_05'])}, difference "
        f"{bracketed(difference, 'd', signed=True)}"
    )


def _beside_controls(sweep: Sweep) -> list[str]:
    return of_controls(controls(sweep, sweep.manifest, tolerance=TOLERANCE), tolerance=TOLERANCE)


def _robust(sweep: Sweep) -> list[str]:
    rows = robust_against_standard(sweep, tolerance=TOLERANCE)
    return robustness(rows, sweep.tickets, sweep.manifest, tolerance=TOLERANCE)
