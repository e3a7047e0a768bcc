"""Tables of a tickets report for the terminal."""

import math
import re
from collections.abc import Sequence

import pandas as pd

from analysis import schema, wording
from analysis.attacks import attacks, by_name, clean_column, named
from analysis.configurations import problem_axes
from analysis.contrast import WITH_INTERVAL, bracketed
from analysis.metric_names import cvar_name
from analysis.text_table import MOST_ROWS, TextTable, breadth, more_rows, or_dash, outcomes
from analysis.tickets import masks, seed_findings
from analysis.tickets.baselines import DENSE

_PLACES = {"attacked_paths": "no attack, same paths"}
_CVAR_ELSEWHERE = re.compile(r"(attacked_)?(?P<measure>cvar_\d\d)(?P<worst>_worst)?@(?P<place>.+)")
_MOST_COMPARED = 12
_MOST_ATTACKS = 2
_EDGES = 2  # columns of the left and right edge
_WIDE = 110  # columns; a narrower terminal gets only the main columns
_WIDEST = 120
_A_PARAMETER = 18  # columns that one more parameter may take
_AN_ESTIMATE = 17  # columns that a mean and its error take


def overview(rows: pd.DataFrame, *, width: int) -> TextTable:
    """Best configuration of every (sparsity, epsilon), for a terminal of ``width`` columns."""
    records = [row for _, row in rows.iterrows()]
    cells = _problem(rows) | {
        "sparsity": [or_dash(v, wording.percent(v)) for v in rows["sparsity"]],
        "epsilon": [or_dash(v, f"{v:g}") for v in rows["epsilon"]],
        "lr": [wording.rate(r, absent="–") for r in records],
    }
    names = {n for n in cells if rows[n].notna().any()}
    names |= {"lr"} if "per seed" in cells["lr"] else set()
    cells = {name: column for name, column in cells.items() if name in names}
    cells["trials"] = outcomes(rows)
    if width >= _WIDE and "epochs" in rows:
        cells["epochs"] = [or_dash(v, f"{v:.3g}") for v in rows["epochs"]]
    cells["to 95 %"] = [_speed(r) for r in records]
    cells["CVaR 5 %"] = _with_errors(rows, "cvar_05", ".3f")
    cells["less dense"] = _with_errors(rows, "cvar_05_minus_dense", "+.3f")
    if width >= _WIDE:
        attack_columns = [c for c in map(str, rows.columns) if c.startswith("attacked_cvar_05@")]
        for name in sorted(attack_columns, key=lambda c: "@path_pgd:" not in c)[:_MOST_ATTACKS]:
            heading = f"CVaR 5 %\n{name.split('@')[1]}"
            cells[heading] = [or_dash(v, wording.amount(v)) for v in rows[name]]
    if width >= _WIDE + _A_PARAMETER * len(_problem(rows)) and "weights_kept" in rows:
        cells["weights\nkept"] = [or_dash(v, f"{v:,.0f}") for v in rows["weights_kept"]]
    return TextTable(
        cells=cells,
        title="Best configuration by validation risk, means over seeds",
        caption="CVaR 5 % in currency per option (S0 = 100), ± one standard error; larger is "
        "better. Trials: completed/stopped/failed/unfinished.",
    )


def untrained(hedges: pd.DataFrame) -> TextTable:
    """Hedges without training and the dense network, best CVaR first."""
    cells = _problem(hedges) | {"hedge": hedges["name"].tolist()}
    cells["CVaR 5 %"] = _with_errors(hedges, "cvar_05", ".3f")
    headings = {"pnl_std": "P&L sd", "turnover": "turnover", "cost_paid": "cost paid"}
    for metric, heading in headings.items():
        cells[heading] = [or_dash(v, f"{v:.3f}") for v in hedges[metric]]
    return TextTable(
        cells=cells,
        title="Hedges that need no training, and the dense network; means over preparations",
        caption=f"In {schema.column('cvar_05').unit}, turnover in "
        f"{schema.column('turnover').unit}; CVaR 5 % ± one standard error.",
    )


def threatened(hedges: pd.DataFrame, width: int) -> list[TextTable]:
    """CVaR of the hedges of one problem, a row per attack and market; no table without any.

    Hedges are in order of clean CVaR, as many as fit into ``width`` columns.
    """
    recorded = [name for name in map(str, hedges.columns) if hedges[name].notna().any()]
    matches = list(filter(None, map(_CVAR_ELSEWHERE.fullmatch, recorded)))
    if not matches:
        return []
    names = [match[0] for match in matches]
    places = [_PLACES.get(m["place"], m["place"]) for m in matches]
    pairs = zip(places, matches, strict=True)
    cells = {"under": [f"{place}{', worst' if m['worst'] else ''}" for place, m in pairs]}
    for _, row in hedges.iterrows():
        heading = row["name"].replace(" ", "\n", 1).replace(" at ", "\n").replace(" (", "\n(")
        column = {heading: [or_dash(row[n], wording.amount(row[n])) for n in names]}
        if breadth(cells | column) > width:
            break
        cells |= column
    measure = cvar_name(matches[0]["measure"])
    table = TextTable(
        cells=cells,
        title=f"{measure} of the same hedges under every attack and in other markets",
        caption="Hedges keep the parameters of their own market. An attack on observations moves "
        "only what a hedge reads.",
    )
    return [table]


def compared(rows: pd.DataFrame) -> TextTable:
    """Best rows of :func:`analysis.compare` and the reference."""
    rows = rows[rows["left_out"].isna()]
    visible_rows = rows[
        rows["reference"] | (pd.Series(range(len(rows)), rows.index) < _MOST_COMPARED)
    ]
    records = [row for _, row in visible_rows.iterrows()]
    words = {"sparsity": wording.percent}
    cells = {
        n: [or_dash(v, words.get(n, wording.value)(v)) for v in visible_rows[n]]
        for n in seed_findings.compared_parameters(rows)
    }
    cells["CVaR 5 %"] = [f"{v:.3f}" for v in visible_rows["mean"]]
    cells["less best"] = [or_dash(v, f"{v:+.3f}") for v in visible_rows["difference"]]
    cells["interval"] = [
        or_dash(r["difference_low"], f"{r['difference_low']:+.3f} to {r['difference_high']:+.3f}")
        for r in records
    ]
    cells["p"] = [or_dash(v, f"{v:.2g}") for v in visible_rows["p_holm"]]
    cells["verdict"] = ["reference" if r["reference"] else _verdict(r) for r in records]
    cells["more seeds"] = [
        "–" if pd.isna(n) else seed_findings.seeds_needed(int(n))
        for n in visible_rows["more_seeds"]
    ]
    return TextTable(
        cells=cells,
        title="Configurations on the same seeds, against the best by validation risk",
        caption="CVaR 5 % in currency per option (S0 = 100), mean over seeds; of the difference "
        f"the {WITH_INTERVAL}; p by Student's paired test, corrected by Holm for all pairs."
        f"{more_rows(len(rows) - len(visible_rows), 'seeds.csv')}",
    )


def kept_weights(rows: pd.DataFrame) -> TextTable:
    """Rows of :func:`analysis.tickets.masks.weights`: all layers, and each of them."""
    rows = rows.head(MOST_ROWS)
    cells = {"problem": rows["problem"].tolist()} if "problem" in rows else {}
    cells |= {
        "network": rows["model"].tolist(),
        "layer": list(map(masks.layer_name, rows["layer"])),
    }
    cells["kept"] = [f"{n:,.0f}" for n in rows["kept"]]
    cells["share"] = [wording.percent(round(share, 3)) for share in rows["kept_share"]]
    cells["dead units"] = [f"{n:.3g}" for n in rows["dead_units"]]
    for name in ("mean", "sd", "median", "q95", "max"):
        cells[f"|w| {name}"] = [or_dash(v, f"{v:.3f}") for v in rows[name]]
    return TextTable(
        cells=cells,
        title="Weights kept, by network and layer",
        caption="Kept and dead units a network, means over seeds; absolute values of the kept "
        "weights of all seeds.",
    )


def robustness(rows: pd.DataFrame, width: int) -> list[TextTable]:
    """:func:`analysis.robustness_table` in tables of at most ``width`` and 120 columns.

    The budgets of an attack are adjacent columns.
    """
    more, rows = more_rows(len(rows) - MOST_ROWS, "robustness.csv"), rows.head(MOST_ROWS)
    swept = rows["epsilon"].notna().any()
    labels = _problem(rows)
    labels["sparsity"] = [
        DENSE if network == DENSE else or_dash(sparsity, wording.percent(sparsity))
        for sparsity, network in zip(rows["sparsity"], rows["network"], strict=True)
    ]
    labels |= {"epsilon": [or_dash(e, f"{e:g}") for e in rows["epsilon"]]} if swept else {}
    label_width = sum(2 + max(map(len, [name, *texts])) for name, texts in labels.items())
    clean = clean_column(named(map(str, rows.columns)))
    blocks = _packed(
        _threats(rows, clean), max(1, (min(width, _WIDEST) - label_width) // _AN_ESTIMATE)
    )
    title = f"{cvar_name(clean)} on clean paths, under attack and in other markets"
    caption = (
        "Currency per option (S0 = 100), mean over seeds ± one standard error; larger is better."
        + (" Epsilon: attack budget in training." if swept else "")
        + more
    )
    return [
        TextTable(
            cells=labels
            | {heading: _with_errors(rows, metric) for heading, metric in block.items()},
            title="" if number else title,
            caption=caption if number == len(blocks) - 1 else "",
        )
        for number, block in enumerate(blocks)
    ]


def controls(rows: pd.DataFrame, *, width: int) -> TextTable:
    """:func:`analysis.controls`, clean and attacked side by side if ``width`` allows."""
    attacked = rows["metric"].str.startswith("attacked_")
    visible_rows, clean = rows[~attacked].head(MOST_ROWS), str(rows["metric"].iloc[0])
    more = more_rows(int((~attacked).sum()) - len(visible_rows), "controls.csv")
    cells = _problem(visible_rows)
    cells["sparsity"] = [wording.percent(v) for v in visible_rows["sparsity"]]
    if visible_rows["epsilon"].notna().any():
        cells["epsilon"] = [or_dash(v, f"{v:g}") for v in visible_rows["epsilon"]]
    cells["network"] = visible_rows["kind"].tolist()
    cells["seeds"] = [str(n) for n in visible_rows["seeds"]]
    cells["kept"] = [or_dash(v, f"{v:,.0f}") for v in visible_rows["weights_kept"]]
    cells |= _ahead(visible_rows, cvar_name(clean))
    under: dict[str, list[str]] = {}
    if attacked.any():
        keys = [*_problem(rows), "sparsity", "epsilon", "kind"]
        pairs = visible_rows[keys].merge(rows[attacked], on=keys, how="left")
        attack_names = pairs["metric"].dropna().str.partition("@")[2].unique()
        one = len(attack_names) == 1
        under = _ahead(pairs, attack_names[0].replace(":", "\n") if one else "attacked")
    # An epsilon that does not vary is in the sentences.
    counts = ["kept", "seeds"]
    counts += ["epsilon"] if visible_rows["epsilon"].nunique() == 1 else []
    fewer = [counts[:n] for n in range(len(counts) + 1)]
    verdict = next(name for name in cells if name.endswith("verdict"))
    for names in (*fewer, *([*under, *few] for few in fewer), [*under, *counts, verdict]):
        visible_cells = {n: texts for n, texts in (cells | under).items() if n not in names}
        if breadth(visible_cells) + _EDGES <= width:
            break
    return TextTable(
        cells=visible_cells,
        title="CVaR of tickets and of their controls",
        caption="Currency per option (S0 = 100), mean over seeds; larger is better. Ahead: the "
        f"ticket less the control on the same seeds, with its {WITH_INTERVAL}; "
        f"verdicts by Holm's p.{more}",
    )


def _ahead(rows: pd.DataFrame, heading: str) -> dict[str, list[str]]:
    records = [row for _, row in rows.iterrows()]
    return {
        heading: [or_dash(row["mean"], wording.amount(row["mean"])) for row in records],
        f"{heading}\nahead": [
            or_dash(row["difference"], bracketed(row, "difference", signed=True))
            for row in records
        ],
        f"{heading}\nverdict": [or_dash(row["difference"], _verdict(row)) for row in records],
    }


def _verdict(row: pd.Series) -> str:
    return "not judged" if pd.isna(row["verdict"]) else str(row["verdict"])


def _problem(rows: pd.DataFrame) -> dict[str, list[str]]:
    axes = problem_axes(map(str, rows.columns))
    return {n: [or_dash(v, wording.value(v)) for v in rows[n]] for n in axes}


def _speed(row: pd.Series) -> str:
    if pd.isna(row["converged"]):
        return "–"
    return f"{row['epochs_to_95pct']:.3g}" if row["converged"] else "not met"


def _with_errors(rows: pd.DataFrame, metric: str, spec: str | None = None) -> list[str]:
    """Values of a ``metric`` ± standard error; :func:`wording.amount` formats without ``spec``."""

    def text(value: float, se: float) -> str:
        mean = f"{value:{spec}}" if spec else wording.amount(value)
        error = f"{se:.3f}" if spec else wording.amount(se)
        return or_dash(value, mean + ("" if math.isnan(se) else f" ± {error}"))

    return [text(*pair) for pair in zip(rows[metric], rows[f"{metric}_se"], strict=True)]


def _threats(rows: pd.DataFrame, clean: str) -> list[dict[str, str]]:
    """Columns by heading, in groups: clean, each attack with its budgets, other markets."""
    blocks = [{"clean": clean}]
    for name, budgets in by_name(attacks(rows)).items():
        words_of = name.replace("_", "\n")
        blocks.append({f"{words_of}\n{attack.size}": attack.column for attack in budgets})
    for prefix, name in (
        (f"{clean}@regime:", "regime"),
        (f"{clean}@shift:", "shift"),
        (f"{clean}_worst@shift:", "worst shift"),
    ):
        columns = [c for c in map(str, rows.columns) if c.startswith(prefix) and f"{c}_se" in rows]
        blocks.append({f"{name}\n{c.removeprefix(prefix)}": c for c in columns})
    return [block for block in blocks if block]


def _packed(blocks: Sequence[dict[str, str]], most: int) -> list[dict[str, str]]:
    """``blocks`` merged into the fewest of at most ``most`` columns; larger ones are split."""
    tables: list[dict[str, str]] = [{}]
    for block in blocks:
        if len(tables[-1]) + len(block) > most and tables[-1]:
            tables.append({})
        for heading, column in block.items():
            if len(tables[-1]) == most:
                tables.append({})
            tables[-1][heading] = column
    return tables
