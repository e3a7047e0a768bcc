"""A ticket study in the units of its user, and settings that are probably a slip."""

import math
from collections.abc import Iterator, Mapping, Sequence

from hedgecore.attacks.threats import THREATS
from hedgecore.hedging.attack_config import TRANSFER
from hedgecore.hedging.study import TicketStudy

_DAYS = 365
_LONGEST = 10.0  # years
_RATES = (-0.1, 0.5)  # a year
_LARGEST_LR = 0.1
_STEEPEST = 3.0  # strike over spot, or spot over strike


def describe(study: TicketStudy) -> Mapping[str, Sequence[str]]:
    """Phrases on ``study`` by heading: option, market and training."""
    market, cost, training = study.market, study.cost, study.training
    option = [
        f"a call at {study.option.strike:g} on a stock at {market.spot:g}",
        _duration(market.maturity),
        f"{market.steps} trading dates",
        f"{_cost(cost.proportional)} of cost",
        *([] if cost.first_trade else ["the first purchase free"]),
        *([] if cost.unwind else ["closing free"]),
        *(["financed at the rate"] if cost.financing else []),
    ]
    heston = [
        f"Heston variance {market.v0:g} (volatility {_volatility(market.v0)})",
        f"long-run variance {market.v_bar:g} ({_volatility(market.v_bar)})",
        f"mean reversion {market.kappa:g}",
        f"volatility of variance {market.xi:g}",
        f"correlation {market.rho:g}",
        f"rate {_percent(market.rate)}",
        *([f"dividend {_percent(market.dividend)}"] if market.dividend else []),
    ]
    trained = [
        f"network {'-'.join(map(str, study.network.hidden))}",
        f"{market.train_paths:,} training paths in batches of {training.batch_size}",
        f"at most {training.epochs} epochs",
        _risk(study),
    ]
    return {"option": option, "market": heston, "training": trained}


def improbable(study: TicketStudy) -> Mapping[str, str]:
    """Settings that are probably a slip, such as days for years: one line by dotted key."""
    return dict([*_contract(study), *_dynamics(study), *_learning(study), *_budgets(study)])


def _contract(study: TicketStudy) -> Iterator[tuple[str, str]]:
    market = study.market
    years, steps, days = market.maturity, market.steps, _DAYS * market.maturity
    if years > _LONGEST:
        cure = f"{years:g} days are {years / _DAYS:.3g}"
        yield "market.maturity", f"{years:g} years to maturity; {cure}"
    elif days < 1:
        yield "market.maturity", f"{24 * 60 * days:.3g} minutes to maturity; it is in years"
    elif days > 92 * steps:
        rate = f"a trade every {days / steps:.0f} days"
        yield "market.steps", f"{rate}; {round(days)} dates would be one a day"
    cost = study.cost.proportional
    if cost > 0.05:
        cure = f"{cost:g} bp are {cost / 1e4:g}" if cost >= 1 else f"{cost:g} % is {cost / 100:g}"
        yield "cost.proportional", f"{_percent(cost)} of every trade; {cure}"
    ratio = study.option.strike / market.spot
    if not 1 / _STEEPEST <= ratio <= _STEEPEST:
        yield "option.strike", f"{ratio:.3g} times the price today, {market.spot:g}"
    tail = study.risk.tail
    if study.risk.name == "cvar" and tail > 0.5:
        cure = f"the worst {_percent(1 - tail)} is {1 - tail:.4g}"
        yield "risk.tail", f"the mean of the worst {_percent(tail)} of paths; {cure}"


def _dynamics(study: TicketStudy) -> Iterator[tuple[str, str]]:
    market = study.market
    for name, rate in (("rate", market.rate), ("dividend", market.dividend)):
        if not _RATES[0] <= rate <= _RATES[1]:
            cure = f"{rate:g} % is {rate / 100:g}"
            yield f"market.{name}", f"{_percent(rate)} a year; {cure}"
    for name, variance in (("v0", market.v0), ("v_bar", market.v_bar)):
        if variance > 1:
            cure = f"a volatility of {variance:g} % has variance {(variance / 100) ** 2:.3g}"
            yield f"market.{name}", f"a volatility of {_volatility(variance)}; {cure}"
    if market.xi > 5:
        yield (
            "market.xi",
            f"a volatility of variance of {market.xi:g}; {market.xi:g} % is {market.xi / 100:g}",
        )
    if market.kappa > 50:
        yield "market.kappa", f"the variance reverts within {_DAYS / market.kappa:.2g} days"


def _learning(study: TicketStudy) -> Iterator[tuple[str, str]]:
    rates = {
        "training.lr": study.training.lr,
        "training.warmup_lr": study.training.warmup_lr,
        "dense.lr": study.dense.lr,
    }
    for key, rate in rates.items():
        if rate is not None and rate > _LARGEST_LR:
            yield key, f"a learning rate of {rate:g}, above {_LARGEST_LR:g}"
    if study.network.position_limit < 1:
        limit = study.network.position_limit
        yield "network.position_limit", f"{limit:g} shares, and a call needs up to 1"


def _budgets(study: TicketStudy) -> Iterator[tuple[str, str]]:
    market, tests = study.market, study.evaluation
    variance = max(market.v0, market.v_bar)
    spread = market.spot * math.sqrt(variance * market.maturity)  # of the price at maturity
    budgets = {f"evaluation.{name}": (name, getattr(tests, name)) for name in THREATS}
    budgets["evaluation.transfer"] = TRANSFER, tests.transfer
    budgets["attack.epsilon"] = study.attack.name, (study.attack.epsilon,)
    for key, (name, values) in budgets.items():
        observed = THREATS[name].model == "observation"
        most, scale = (1.0, "a standard deviation of every feature") if observed else (
            spread, f"{spread:.3g}, a standard deviation of the price at maturity")  # fmt: skip
        if values and max(values) > most:
            yield key, f"a budget of {max(values):g}, above {scale}"


def _duration(years: float) -> str:
    days = _DAYS * years
    if years >= 2:
        return f"{years:.3g} years"
    if days >= 10:
        return f"{days:.0f} days"
    return f"{days:.2g} days" if days >= 1 else f"{24 * days:.2g} hours"


def _cost(share: float) -> str:
    return f"{1e4 * share:.4g} bp" if share < 0.01 else _percent(share)


def _risk(study: TicketStudy) -> str:
    if study.risk.name == "cvar":
        return f"CVaR of the worst {_percent(study.risk.tail)}"
    return f"{study.risk.name.replace('_', ' ')} risk of aversion {study.risk.aversion:g}"


def _volatility(variance: float) -> str:
    return f"{100 * math.sqrt(max(variance, 0)):.3g} %"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
