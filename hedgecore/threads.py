"""One thread for all arithmetic, so that no result depends on cores or on what runs beside it."""

import torch
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """Let torch, and every BLAS and OpenMP library loaded so far, use one thread from now on.

    The order of a sum depends on how many threads share it, and with it the last bits: torch is
    not alone in that, as NumPy's and SciPy's products and scikit-learn's k-means do likewise.
    """
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
