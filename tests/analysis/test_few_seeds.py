import re

import pytest

from analysis.claims import CLAIMS
from analysis.report.few_seeds import few_seeds
from analysis.sweep import Sweep


def lines(table, seeds, **manifest):
    return few_seeds(Sweep.of(table(*({"seed": seed} for seed in range(seeds))), manifest))


@pytest.mark.parametrize("experiment", ["tickets", "xnn"])
def test_one_seed_is_answered_with_a_claim_of_the_experiment_to_decide(table, experiment):
    (line,) = lines(table, 1, experiment=experiment)
    (claim,) = re.findall(r"--until-decided (\w+) --max-seeds \d+", line)
    assert CLAIMS[claim].experiment == experiment


def test_the_command_switches_a_scheduler_off_which_it_would_be_refused_with(table):
    (line,) = lines(table, 2, scheduler={"asha": {}})
    assert "--set scheduler=null" in line
    (line,) = lines(table, 2, scheduler=None)
    assert "scheduler" not in line


def test_three_seeds_have_verdicts(table):
    assert lines(table, 3) == []


def test_without_a_result_the_number_of_seeds_is_no_reason(table):
    rows = table({"seed": 0, "status": "stopped"})
    assert few_seeds(Sweep.of(rows, {})) == []
