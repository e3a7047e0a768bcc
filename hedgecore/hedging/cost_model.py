"""Cost model: multiply-adds and bytes of a study, used to scale measured epoch times."""

from collections.abc import Sequence
from dataclasses import replace

from hedgecore.experiment import Cost
from hedgecore.hedging.attack_config import AttackConfig
from hedgecore.hedging.config import (
    DenseConfig,
    MarketConfig,
    NetworkConfig,
    PruningConfig,
    RiskConfig,
)
from hedgecore.hedging.markets import path_bytes
from hedgecore.hedging.preparation import NETWORKS
from hedgecore.hedging.problem import CHUNK
from hedgecore.hedging.study import TicketStudy
from hedgecore.kernel.shared_library import library
from hedgecore.training.config import TrainingConfig

# Time of a network without weights, as a share of the dense one's, at hidden 64-64.
_BASE = 0.15


def timing_key(study: TicketStudy) -> TicketStudy:
    """``study`` with settings that do not affect its time at their defaults.

    Trials with equal keys have equal times per epoch.
    """
    market, attack = study.market, study.attack
    return TicketStudy(
        market=MarketConfig(
            steps=market.steps,
            scheme=market.scheme,
            substeps=market.substeps,
            train_paths=market.train_paths,
            val_paths=market.val_paths,
            test_paths=market.test_paths,
        ),
        network=NetworkConfig(hidden=study.network.hidden),
        pruning=PruningConfig(sparsity=study.pruning.sparsity),
        risk=RiskConfig(name=study.risk.name, y=study.risk.y),
        training=TrainingConfig(batch_size=study.training.batch_size),
        attack=AttackConfig(
            name=attack.name,
            steps=attack.steps,
            restarts=attack.restarts,
            epsilon=0.1,
            clean_weight=float(attack.clean_weight > 0),
            validation_weight=0.5 * (attack.validation_weight > 0),
        )
        if attack.epsilon
        else AttackConfig(),
        evaluation=study.evaluation,
    )


def epoch_work(study: TicketStudy) -> float:
    """Multiply-adds of one epoch: training paths forward and backward, validation forward only."""
    market, attack = study.market, study.attack
    terms = 1 + (attack.epsilon > 0 and attack.clean_weight > 0)
    train_work = market.train_paths * 3 * (terms + _passes(attack))
    selecting = attack.epsilon > 0 and attack.validation_weight > 0
    val_work = market.val_paths * (1 + selecting * (3 * _passes(attack) + 1))
    return _step_work(study) * _kept_share(study) * (train_work + val_work)


def test_work(study: TicketStudy) -> float:
    """Multiply-adds of the tests of one network: clean, under every attack, in every market."""
    market, evaluation = study.market, study.evaluation
    attack_paths = min(evaluation.attacked_paths or market.test_paths, market.test_paths)
    attacks = sum(3 * _passes(attack) + 1 for attack in evaluation.attacks.values())
    attacks += len(evaluation.transfer)
    shifted = evaluation.shift_markets * evaluation.shift_paths if evaluation.shift else 0
    clean = market.test_paths * (1 + len(evaluation.regimes))
    return _step_work(study) * (clean + attack_paths * attacks + shifted)


def stored_bytes(study: TicketStudy) -> int:
    """Bytes of one preparation in the object store (float32), excluding those of its base."""
    network = study.network
    parameters = sum(network.weights) + sum(network.hidden) + 1 + (study.risk.y == "parameter")
    scales = 2 * 8  # mean and sd of each of the 8 features
    networks = 4 * len(NETWORKS) * parameters
    if study.shared_study() != study.base_study():
        return networks
    return networks + path_bytes(study) + 4 * (scales + study.market.test_paths)


def reduced(keys: Sequence[TicketStudy], *, most: float) -> list[TicketStudy]:
    """Reduced timing keys of one preparation; see :class:`hedgecore.experiment.Cost`.

    Batches and chunks keep their size, which determines the speed of operations and peak memory.
    """
    market, evaluation = keys[0].market, keys[0].evaluation
    share = most / max(map(epoch_work, keys))
    if share < 1:
        batches = max(2, int(share * market.train_paths / keys[0].training.batch_size))
        market = replace(
            market,
            train_paths=min(market.train_paths, batches * keys[0].training.batch_size),
            val_paths=min(market.val_paths, CHUNK),
        )
    if test_work(keys[0]) > most:
        market = replace(market, test_paths=min(market.test_paths, CHUNK))
        attack_paths = min(evaluation.attacked_paths or CHUNK, CHUNK)
        evaluation = replace(
            evaluation, steps=min(evaluation.steps, 2), restarts=1, attacked_paths=attack_paths
        )
    dense = DenseConfig(epochs=1)
    return [replace(key, market=market, evaluation=evaluation, dense=dense) for key in keys]


def _passes(attack: AttackConfig) -> int:
    """Gradients of an attack per path."""
    if attack.epsilon == 0:
        return 0
    if attack.name.endswith("_fgsm"):
        return 1
    return attack.steps * attack.restarts if attack.threat.seeks else 0


def _kept_share(study: TicketStudy) -> float:
    """Share of a dense network's time: the kernel's is that of the kept weights, and a base."""
    if library() is None:
        return 1.0
    return min(1.0, 1 - study.pruning.sparsity + _BASE)


def _step_work(study: TicketStudy) -> float:
    return float(study.market.steps * sum(study.network.weights))


COST = Cost(
    timing_key=timing_key,
    epoch_work=epoch_work,
    test_work=test_work,
    setup_work=path_bytes,  # markets are simulated path by path
    data_bytes=path_bytes,
    stored_bytes=stored_bytes,
    # The clean network of a base; a network trained under attack is added to it.
    trained=lambda study: [study.shared_study()],
    # An iterative schedule trains networks before the ticket.
    drawn_epochs=lambda study: study.pruning.trained_rounds * study.shared_study().training.epochs,
    reduced=reduced,
)
