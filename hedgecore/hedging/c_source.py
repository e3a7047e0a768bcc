"""C source of a trained hedge: a file with the network, its evaluator and one public function."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from hedgecore.config import to_mapping
from hedgecore.hedging.compact import CompactNetwork, compact
from hedgecore.hedging.features import FEATURE_NAMES
from hedgecore.hedging.hedge import Hedge
from hedgecore.kernel import inference
from hedgecore.kernel.inference import UNITS

_EVALUATOR = Path(inference.__file__).parent
_INCLUDE = '#include "inference.h"\n'
_DEFINITIONS = {
    "log_moneyness": "ln(S_t / K)",
    "return": "S_t / S_{t-1} - 1; 0 at the first date",
    "volatility": "sqrt(v_t), where v_t is the annual variance, at least 1e-8",
    "variance_change": "v_t - v_{t-1}; 0 at the first date",
    "time_to_maturity": "(T - t) / T, from 1 at the first date to 1 / T at the last trade",
    "previous_position": "position of the date before, in shares; 0 at the first date",
    "cumulative_pnl": "sum over k < t of position_{k-1} (S_k - S_{k-1}), in currency:\n"
    "       gains without costs and without those of the last period; 0 at the first date",
    "trading_volume": "sum over k < t of |position_k - position_{k-1}|, in shares;\n"
    "       0 at the first date",
}
_FUNCTION = """\
/* Position in shares per option sold, from trading date t to the next, of T dates t = 0 .. T-1.
   S: price, K: strike, both in the currency of the study. features:
{features}
   The function is pure and may run in several threads. */
float hedge_position(const float features[{inputs}]);

float hedge_position(const float features[{inputs}]) {{
    float memory[{memory}];
    return compact_position(&network, features, memory);
}}
"""


def c_source(hedge: Hedge, origin: Mapping[str, Any]) -> str:
    """C99 source of :meth:`Hedge.positions` at one date, for any C compiler.

    Args:
        hedge: the trained hedge.
        origin: further lines of the comment at the beginning, such as the trial's id.
    Raises:
        ValueError: a parameter is not finite.
    """
    network = compact(hedge.problem.network, hedge.theta)
    header, evaluator = ((_EVALUATOR / f"inference.{end}").read_text() for end in "hc")
    parts = [
        _comment({**origin, **_facts(hedge, network)}),
        # The first declaration decides that the name is not visible outside of this file.
        header.replace("float compact_position", "static float compact_position"),
        evaluator.replace(_INCLUDE, ""),
        "\n".join(_arrays(network)),
        _FUNCTION.format(
            features="\n".join(_features(network)),
            inputs=len(FEATURE_NAMES),
            memory=max(1, 2 * network.arrays.widest),
        ),
    ]
    return "\n".join(parts)


def _facts(hedge: Hedge, network: CompactNetwork) -> dict[str, str]:
    study = hedge.study
    blocks = {name: getattr(study, name) for name in ("option", "cost", "market", "attack")}
    weights = sum(study.network.weights)
    return {
        "network": f"{network.weights} of {weights} weights, {network.units} of "
        f"{sum(study.network.hidden)} hidden units",
        **{
            name: ", ".join(f"{k} {v}" for k, v in to_mapping(block).items() if v is not None)
            for name, block in blocks.items()
        },
    }


def _comment(facts: Mapping[str, Any]) -> str:
    """Comment of ``facts``, which are text from files and must not end it."""
    lines = [
        "/* Hedge of one sold option by a sparse network, trained and written by hedgesweep.",
        "   Compile it with optimisation, for example: cc -std=c99 -O3 -c FILE. To link several,",
        "   give each its own name: -Dhedge_position=NAME.",
        "",
    ]
    for name, value in facts.items():
        text = str(value).encode("ascii", "backslashreplace").decode()
        printable = "".join(c if c.isprintable() else " " for c in text)
        lines.append(f"   {name}: {printable.replace('*', '.')}")
    return "\n".join([*lines, "*/", ""])


def _features(network: CompactNetwork) -> Iterator[str]:
    for i, name in enumerate(FEATURE_NAMES):
        unread = "" if name in network.inputs else " (not read by this network)"
        yield f"   [{i}] {name}{unread}: {_DEFINITIONS[name]}"


def _arrays(network: CompactNetwork) -> Iterator[str]:
    arrays, rows = network.arrays, []
    for i, layer in enumerate(arrays.layers):
        for name, values in layer._asdict().items():
            yield _array(f"{name}_{i}", values)
        names = ", ".join(f"{name}_{i}" for name in layer._fields)
        rows.append(f"    {{{len(layer.begin) - 1}, {names}}},")
    if rows:  # else the position is constant
        yield _array("weight", arrays.weight)
        yield "\n".join([f"static const CompactLayer layers[{len(rows)}] = {{", *rows, "};"])
    layers, weight = ("layers", "weight") if rows else ("NULL", "NULL")
    yield (
        "static const CompactNetwork network = {\n"
        f"    {len(rows)}, {arrays.widest}, {layers}, {len(arrays.weight)}, {weight},\n"
        f"    {_float(arrays.bias)}, {_float(network.position_limit)}\n}};\n"
    )


def _array(name: str, values: Shaped[Tensor, "..."]) -> str:
    real = values.is_floating_point()
    texts = [_float(x) if real else str(x) for x in values.flatten().tolist()]
    rows = [f"    {', '.join(texts[i : i + UNITS])}," for i in range(0, len(texts), UNITS)]
    kind = "float" if real else "int"
    return "\n".join([f"static const {kind} {name}[{len(texts)}] = {{", *rows, "};"])


def _float(value: float) -> str:
    """Nine significant digits, which determine a float32."""
    return f"{value:.8e}f"
