import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from hedgecore.threads import one_thread


def counts():
    return {pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads()}


def test_every_library_that_is_loaded_has_one_thread():
    np.ones((4, 4)) @ np.ones((4, 4))
    threadpool_limits(limits=2)
    torch.set_num_threads(2)
    assert counts() > {1} or counts() == {2}
    one_thread()
    assert counts() == {1}
