"""Single-threaded arithmetic, so that results do not depend on cores or on other processes."""

import torch
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """Limit torch, and every BLAS and OpenMP library loaded so far, to one thread.

    The number of threads determines the order of a sum and so its last bits, in torch, in NumPy's
    and SciPy's products, and in scikit-learn's k-means.
    """
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
