"""Commands of the analysis that run while their inputs are computed."""

import json
import subprocess
import sys
import time

import pytest

from sweeps import analysis_process

ECHO = """
import json, sys
from pathlib import Path

status, *options = sys.argv[1:]
ready, result = Path(status + ".ready"), Path(status + ".result")
ready.touch()
files = dict(option.removeprefix("--").split("=") for option in options if "=" in option)
contents = {name: json.loads(Path(path).read_bytes()) for name, path in files.items()}
result.write_text(json.dumps(contents))
sys.exit(len(files))
"""


@pytest.fixture
def script(monkeypatch):
    """Runs a script of Python instead of the analysis."""

    def replace(source):
        monkeypatch.setattr(
            analysis_process,
            "command",
            lambda *arguments: [sys.executable, "-c", source, *arguments],
        )

    return replace


def appears(path):
    """True once ``path`` exists, at most a minute from now."""
    end = time.monotonic() + 60.0
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return path.exists()


def test_a_command_runs_while_its_inputs_are_computed_and_reads_them_all(script, tmp_path):
    script(ECHO)
    large = list(range(100_000))  # more than a pipe holds
    ready = tmp_path / "x.ready"
    inputs = {"latency": lambda: {"begun": appears(ready)}, "profiles": lambda: {"rows": large}}
    assert analysis_process.exit_status(str(tmp_path / "x"), inputs=inputs) == len(inputs)
    result = json.loads((tmp_path / "x.result").read_text())
    assert result == {"latency": {"begun": True}, "profiles": {"rows": large}}


def test_a_command_that_ends_without_its_inputs_keeps_its_exit_status(script):
    script("raise SystemExit(7)")
    inputs = {"latency": lambda: "x" * 10_000_000, "profiles": dict}
    assert analysis_process.exit_status("report", inputs=inputs) == 7


def test_a_command_whose_input_cannot_be_computed_is_ended(script, tmp_path):
    script(ECHO)

    def fails():
        assert appears(tmp_path / "x.ready")
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        analysis_process.exit_status(str(tmp_path / "x"), inputs={"latency": fails})
    assert not (tmp_path / "x.result").exists()


def test_the_command_line_loads_without_torch_and_pandas():
    source = "import sys, sweeps.__main__; print({'torch', 'pandas', 'ray'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
