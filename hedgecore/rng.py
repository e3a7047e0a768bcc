"""Named random streams: the only module that creates generators.

A stream is identified by a seed and names, such as ``stream(7, "paths", "train")``. A new consumer
therefore shifts no other stream, and a trial draws the same numbers on every worker.
"""

import hashlib

import numpy as np
import torch

# Layout of a CPU generator's state: 24 bytes of header, then 624 words of Mersenne Twister, 8
# bytes each.
_STATE_BYTES = 5056
_WORDS = slice(24, 24 + 624 * 8)


def seed_sequence(seed: int, *names: str) -> np.random.SeedSequence:
    """256 bits of entropy derived from ``seed`` and ``names``.

    The names are hashed one by one, so ("a", "bc") and ("ab", "c") differ.

    Raises:
        ValueError: ``seed`` negative or not an integer.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed!r}")
    digest = hashlib.sha256(b"".join(hashlib.sha256(n.encode()).digest() for n in names)).digest()
    return np.random.SeedSequence([seed, *np.frombuffer(digest, dtype="<u4").tolist()])


def stream(seed: int, *names: str) -> torch.Generator:
    """A CPU generator for the stream ``names`` of ``seed``, independent of every other stream.

    ``torch.Generator.manual_seed`` uses only the low 32 bits of its argument on the CPU, so that
    among 100,000 streams two would likely coincide; here the whole state of the twister is filled
    instead.
    """
    sequence = seed_sequence(seed, *names)
    generator = torch.Generator()
    generator.manual_seed(int(sequence.generate_state(1)[0]))
    state = generator.get_state()
    assert state.numel() == _STATE_BYTES, "torch changed the layout of its CPU generator"
    words = sequence.generate_state(624).astype(np.int64)
    words[0] |= 0x80000000  # never the all-zero state
    state[_WORDS] = torch.from_numpy(words).view(torch.uint8)
    generator.set_state(state)
    return generator


def numpy_stream(seed: int, *names: str) -> np.random.Generator:
    """NumPy equivalent of :func:`stream`, for configurations rather than tensors."""
    return np.random.Generator(np.random.PCG64(seed_sequence(seed, *names)))
