import sys
from pathlib import Path

import pytest
from fake_head import FORWARDER, TOKEN, end, fake_head
from spaces import TINY

from sweeps import SilentProgress
from sweeps.__main__ import main
from sweeps.environment import defaults, environment


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A space of 8 trials that train in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture
def silent() -> SilentProgress:
    return SilentProgress()


@pytest.fixture
def typed(monkeypatch, capsys):
    """Types a command; its exit status, and what it prints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hedgesweep", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as error:
            status = error.code
        done = capsys.readouterr()
        return status, done.out + done.err

    return run


@pytest.fixture
def quick_card(request, monkeypatch):
    """Model cards without the process of the analysis, unless a test takes ``real_card``."""
    if "real_card" not in request.fixturenames:
        # In this order: the first imports from the second when it is first used.
        for module in ("sweeps.inspection.export", "sweeps.analysis_process"):
            monkeypatch.setattr(f"{module}.model_card", lambda *given, **more: b"# A card\n")


@pytest.fixture
def real_card():
    """Model cards as users get them."""


@pytest.fixture(scope="module")
def ray_here():
    """One Ray without tokens for the tests of a module."""
    import ray

    from sweeps.execution.authentication import authentication
    from sweeps.execution.ray_runtime import STARTING

    with environment(defaults(STARTING)), authentication(None, insecure=True):
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture
def head(tmp_path, monkeypatch):
    """A head, its token in the home of this user, and no pauses."""
    from sweeps.jobs import connection, following

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / "home" / ".ray" / "auth_token"
    token.parent.mkdir(parents=True)
    token.write_text(TOKEN)
    token.chmod(0o600)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(following, "_PAUSE", 0.0)
    monkeypatch.setattr(following, "_SHARE", 1.0)
    monkeypatch.setattr(connection, "_FIRST_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(connection, "_PAUSES", (0.0, 0.0, 0.0))
    with fake_head() as head:
        head.logs = lambda name: end(head, name)
        yield head


@pytest.fixture
def cluster(head, tmp_path, monkeypatch):
    """A cluster file whose tunnel leads to the head."""
    from sweeps.jobs import tunnel

    path = tmp_path / "cluster.yaml"
    path.touch()
    forwarder = tmp_path / "forwarder.py"
    forwarder.write_text(FORWARDER)
    remote = head.url.rpartition(":")[2]

    def command(_: Path, port: int) -> list[str]:
        pids = str(tmp_path / "pids")
        return [sys.executable, "-I", "-S", str(forwarder), str(port), remote, pids]

    monkeypatch.setattr(tunnel, "_command", command)
    return path
