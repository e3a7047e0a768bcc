"""The identity of a process's arithmetic: equal where bits are, another where kernels are."""

import os
import subprocess
import sys
from functools import cache

import pytest
import torch

from hedgecore.arithmetic import arithmetic
from hedgecore.kernel.shared_library import SWITCH

SCRIPT = """
import sys
for name in sys.argv[1:]:
    __import__(name)
from hedgecore.arithmetic import arithmetic
from hedgecore.threads import one_thread
one_thread()
print(arithmetic().id, arithmetic().sample)
"""


@cache
def measured(*imports: str, **environment: str) -> list[str]:
    """Identity and sample of a fresh process on one thread."""
    command = [sys.executable, "-c", SCRIPT, *imports]
    # A build may need more of the processor than a test leaves to it.
    env = {name: value for name, value in os.environ.items() if name != SWITCH} | environment
    return subprocess.run(
        command, env=env, check=True, capture_output=True, text=True
    ).stdout.split()


def test_processes_of_one_machine_agree_whatever_they_have_imported():
    assert measured() == measured("sklearn.cluster", "pandas", "scipy.stats")


@pytest.mark.parametrize(
    "switch",
    [{"MKL_CBWR": "COMPATIBLE"}, {"ATEN_CPU_CAPABILITY": "default"}, {"MKL_CBWR": "AVX2"}],
    ids=str,
)
def test_other_kernels_are_another_arithmetic(switch):
    assert measured(**switch)[0] != measured()[0]


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="this processor has one kernel"
)
def test_the_sample_tells_kernels_apart_by_their_bits():
    assert measured(ATEN_CPU_CAPABILITY="default")[1] != measured()[1]


def test_the_number_of_threads_is_part_of_it():
    one = arithmetic()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert arithmetic().id != one.id
    finally:
        torch.set_num_threads(threads)
    assert arithmetic() == one
