"""Memory accesses of the kernel under the address sanitizer, which sees the end of every array."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_builds import COMPILERS, ROOT, compiled

from hedgecore.kernel.shared_library import SWITCH, builds

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
@pytest.mark.skipif("gcc" not in COMPILERS, reason="needs gcc")
@pytest.mark.parametrize("name", builds())
def test_the_address_sanitizer_is_clean_on_the_tests_of_the_kernel(tmp_path, name):
    build = compiled(
        tmp_path, "gcc", name, "-fsanitize=address,undefined", "-fno-sanitize-recover", "-g"
    )
    libraries = [
        subprocess.check_output(["gcc", f"-print-file-name={library}"], text=True).strip()
        for library in ("libasan.so", "libubsan.so")
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",
        SWITCH: build,
    }
    tests = [str(HERE / "test_gradients.py"), str(HERE / "test_bits.py")]
    without = "not compilers and not forty"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-k", without, *tests]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
