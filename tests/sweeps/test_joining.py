"""Addresses without a Ray cluster, and the token for joining one."""

import os
import socket
import ssl
import stat
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import ray
from ray._private import services

from sweeps import UsageError
from sweeps.errors import SweepError
from sweeps.execution import ray_runtime
from sweeps.execution.authentication import authentication
from sweeps.execution.cluster_address import joinable

pytestmark = pytest.mark.ray  # imports it, starts none

TOKENS = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no variable about tokens."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in TOKENS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ray").mkdir()
    return tmp_path


@pytest.fixture(params=["closed", "silent", "hangs up", "another server"])
def address(request):
    """A port at which something else than Ray is, or nothing."""
    server = socket.create_server(("", 0))
    port = server.getsockname()[1]

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            if request.param == "another server":
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

    if request.param == "closed":
        server.close()
    elif request.param != "silent":
        threading.Thread(target=answer, daemon=True).start()
    yield f"127.0.0.1:{port}"
    server.close()


def test_whatever_is_no_ray_is_refused_with_the_address(address):
    with pytest.raises(UsageError, match=f"^no Ray cluster at '{address}'.*ray start --head"):
        joinable(address)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates") / "tls"
    script = Path(__file__).resolve().parents[2] / "deploy" / "certificates.sh"
    subprocess.run([str(script), str(folder), "head=127.0.0.1"], check=True)
    return folder / "head"


@pytest.fixture
def encrypted(certificates, monkeypatch):
    """Address of a server that answers as gRPC does, under TLS with certificates on both sides."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
    files = {"SERVER_CERT": "tls.crt", "SERVER_KEY": "tls.key", "CA_CERT": "ca.crt"}
    for name, file in files.items():
        monkeypatch.setenv(f"RAY_TLS_{name}", str(certificates / file))
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True) as peer:
            peer.recv(100)
            peer.sendall(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))

    threading.Thread(target=answer, daemon=True).start()
    monkeypatch.setattr(services, "canonicalize_bootstrap_address", lambda address: address)
    monkeypatch.setattr(services, "find_node_ids", lambda: ["node"])
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()


def test_a_cluster_with_tls_is_joined_with_its_certificates(encrypted, monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    assert joinable(encrypted) == encrypted


@pytest.mark.parametrize("variable", ["RAY_USE_TLS", "RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY"])
def test_a_cluster_with_tls_is_refused_without_a_variable(encrypted, monkeypatch, variable):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.delenv(variable)
    with pytest.raises(UsageError, match=r"^no Ray cluster at"):
        joinable(encrypted)


def test_where_ray_looks_instead_of_a_loopback_address_is_said(monkeypatch):
    monkeypatch.setattr(services, "canonicalize_bootstrap_address", lambda _: "127.0.0.2:1")
    with pytest.raises(UsageError, match=r"'127.0.0.1:1', which Ray takes for 127.0.0.2:1 \(Conn"):
        joinable("127.0.0.1:1")


@pytest.mark.parametrize(
    "error",
    [
        Exception("The current node timed out during startup.\nThis may .."),
        RuntimeError("x"),
        KeyError("y"),
        ConnectionError(),
    ],
)
def test_whatever_ray_raises_while_it_starts_is_one_line(monkeypatch, error):
    def dies(**_):
        raise error

    monkeypatch.setattr(ray, "init", dies)
    with pytest.raises(SweepError, match=r"^Ray could not start on this") as raised:
        ray_runtime._start(None, {})
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "127.0.0.1:x", "::"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="no Ray cluster at"):
        joinable(address)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("ray://127.0.0.1:10001", "Ray Client"), ("http://127.0.0.1:8265", "a URL")],
)
def test_a_url_is_refused_with_what_to_do_instead(address, kind):
    with pytest.raises(UsageError, match=rf"is an? .*{kind.split()[-1]}.*--address auto"):
        joinable(address)


@pytest.mark.parametrize("address", [None, "127.0.0.1:1"])
def test_authentication_that_is_disabled_is_refused_unless_asked_for(home, monkeypatch, address):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with (
        pytest.raises(UsageError, match=r"RAY_AUTH_MODE=disabled.*--insecure"),
        authentication(address, insecure=False),
    ):
        pass
    with authentication(address, insecure=True):
        assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_a_ray_of_this_machine_has_a_token_of_its_own_while_it_runs(home):
    tokens = set()
    for _ in range(2):
        with authentication(None, insecure=False):
            assert os.environ["RAY_AUTH_MODE"] == "token"
            tokens.add(os.environ["RAY_AUTH_TOKEN"])
        assert not os.environ.keys() & set(TOKENS)
    assert len(tokens) == 2
    assert all(len(token) == 64 for token in tokens)
    assert not list((home / ".ray").iterdir())


@pytest.mark.parametrize("address", [None, "127.0.0.1:1"])
def test_a_token_that_all_can_read_is_taken_back(home, address):
    token = home / ".ray" / "auth_token"
    token.write_text("0" * 64)
    token.chmod(0o644)
    with authentication(address, insecure=False):
        assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_a_token_that_is_missing_or_a_link_is_refused_where_a_cluster_needs_it(home):
    token = home / ".ray" / "auth_token"
    with pytest.raises(UsageError, match="no token"), authentication("a:1", insecure=False):
        pass
    (home / "elsewhere").write_text("0" * 64)
    (home / "elsewhere").chmod(0o644)
    token.symlink_to(home / "elsewhere")
    with pytest.raises(UsageError, match="is a link"), authentication("a:1", insecure=False):
        pass
    with authentication(None, insecure=False):
        pass
    assert stat.S_IMODE((home / "elsewhere").stat().st_mode) == 0o644
