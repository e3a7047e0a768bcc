"""Names of blocks, keys and choices in other tools, for the cures of messages."""

import re
from collections.abc import Iterable, Mapping

from hedgecore.registry import suggestion

# "" without an equivalent; a dotted name is a key of another block.
_KEYS: Mapping[str, Mapping[str, str]] = {
    "": {
        "space": "parameters params paramspace searchspace hyperparameters axes spaces sweep",
        "study": "config settings fixed constants trainable",
        "search": "searchalg searcher sampler tuner",
        "search.algorithm": "method algorithm algo strategy",
        "search.num_samples": "ntrials numtrials trials numsamples niter runcap maxevals "
        "maxtrials",
        "scheduler": "earlyterminate earlystopping pruner earlytermination",
        "resources": "resourcespertrial resource",
        "space.seed": "seed seeds repeats",
        "extends": "extend base inherits inherit parent include",
        "": "name program project entity command defaults hydra metric mode description",
    },
    "search": {
        "num_samples": "ntrials numtrials trials niter samples budget maxtrials nsamples runcap "
        "maxevals n ncalls totaltrials ninitialpoints",
        "algorithm": "sampler method algo strategy name type searchalg optimizer tuner",
        "seed": "randomstate randomseed rngseed",
        "objectives": "objective metric metrics target",
        "space.seed": "seeds repeats replicates",
        "": "maxconcurrent maxconcurrenttrials parallelism njobs mode direction goal",
    },
    "resources": {
        "cpu": "cpus numcpus ncpu cores threads cpupertrial",
        "gpu": "gpus numgpus ngpu gpupertrial",
        "": "memory ram mem accelerator workers",
    },
    "scheduler": {
        "grace_period": "minresource minbudget mint miniter nwarmupsteps",
        "reduction_factor": "eta reductionfactor",
        "max_t": "maxresource maxbudget maxiter maxepochs",
        "metric": "monitor objective",
        "mode": "direction goal",
        "axes": "hyperparammutations",
        "quantile": "quantilefraction",
        "": "brackets bracket timeattr type name",
    },
    "study": {"": "seed seeds"},
}
_CHOICES: Mapping[str, Mapping[str, str]] = {
    "algorithm": {
        "tpe": "bayes bayesian bayesopt bo gp optuna hyperopt tpesampler treeparzen ax bohb gpei "
        "skopt optunasearch tpesearch tpesuggest cmaes cma cmaessampler anneal annealing "
        "bayesianoptimization multivariatetpe",
        "nsga2": "nsga nsgaii nsgaiisampler nsga3 genetic evolutionary",
        "quasirandom": "sobol qmc halton lhs latinhypercube qmcsampler sobolsampler",
        "grid": "gridsearch gridsearchcv gridsampler exhaustive product all bruteforce "
        "basicvariant",
        "random": "randomsearch randomizedsearchcv randomizedsearch randomsampler uniform",
    },
    "scheduler": {
        "asha": "ashascheduler asynchyperband asynchyperbandscheduler sha successivehalving "
        "successivehalvingpruner async",
        "i_epoch": "iepoch oneepoch 1epoch firstepoch fixedepoch",
        "hyperband": "hyperbandscheduler hyperbandpruner hb bohb",
        "median": "medianstopping medianstoppingrule medianpruner",
        "pbt": "populationbasedtraining pb2",
    },
    "mode": {
        "min": "minimize minimise lower less smaller minimization",
        "max": "maximize maximise higher greater larger maximization",
    },
    "experiment": {"tickets": "ticket hedging heston lottery", "xnn": "insurance prudential"},
}


def key(block: str, name: str, candidates: Iterable[str]) -> str | None:
    """Key of ``block`` similar or synonymous to ``name``, or a dotted one of another block.

    None without an equivalent.
    """
    if entry := _entry(_KEYS.get(block, {}), name):
        return entry
    if _entry(_KEYS.get(block, {}), name) == "":
        return None
    return _near(name, candidates)


def choice(field: str, name: object, candidates: Iterable[str]) -> str | None:
    """Candidate that ``name`` is close to or a synonym of."""
    return _entry(_CHOICES.get(field, {}), str(name)) or _near(str(name), candidates)


def _entry(table: Mapping[str, str], name: str) -> str | None:
    plain = re.sub("[^a-z0-9]", "", name.lower())
    entries = {spelling: key for key, names in table.items() for spelling in names.split()}
    return entries.get(plain)


def _near(name: str, candidates: Iterable[str]) -> str | None:
    choices = {choice.lower(): choice for choice in candidates}
    return choices.get(suggestion(name.lower(), choices) or "")
