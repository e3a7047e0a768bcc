"""Certificates of a cluster's nodes, as openssl and Python's own TLS judge them."""

import shutil
import socket
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "deploy" / "certificates.sh"
YEAR = 365 * 86400
NODES = {"head": "192.0.2.10", "worker-1": "192.0.2.11,worker-1.example", "six": "2001:db8::6"}

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


def certificates(folder: Path, *nodes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPT, folder, *nodes], capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    result = tmp_path_factory.mktemp("tls") / "certificates"
    done = certificates(result, *(f"{name}={addresses}" for name, addresses in NODES.items()))
    assert (done.returncode, done.stderr) == (0, "")
    return result


def test_every_certificate_is_signed_for_the_addresses_of_its_node(folder):
    for name, addresses in NODES.items():
        for address in (*addresses.split(","), "127.0.0.1"):
            kind = "-verify_hostname" if address[-1].isalpha() else "-verify_ip"
            for purpose in ("sslserver", "sslclient"):
                command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, kind, address]
                command += ["-CAfile", folder / "ca.crt", folder / name / "tls.crt"]
                done = subprocess.run(command, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr


def test_control_another_nodes_address_is_not_in_a_certificate(folder):
    command = ["openssl", "verify", "-verify_ip", "192.0.2.10", "-CAfile", folder / "ca.crt"]
    done = subprocess.run([*command, folder / "six" / "tls.crt"], capture_output=True)
    assert done.returncode != 0


def test_only_the_owner_reads_any_of_it_and_nodes_have_no_key_of_the_authority(folder):
    files = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert {mode for path, mode in files.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in files.items() if path.is_dir()} == {0o700}
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key", *NODES}
    for name in NODES:
        assert {p.name for p in (folder / name).iterdir()} == {"ca.crt", "tls.crt", "tls.key"}


def context(folder: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    result = ssl.create_default_context(purpose, cafile=str(folder / "ca.crt"))
    result.verify_mode = ssl.CERT_REQUIRED
    result.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return result


def handshake(server: Path, client: Path) -> None:
    """Both sides check the other's certificate, as nodes of Ray do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer, context(server, ssl.Purpose.CLIENT_AUTH).wrap_socket(peer, True) as secure:
                secure.sendall(secure.recv(4))

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with socket.create_connection(listener.getsockname()) as plain:
                wrap = context(client, ssl.Purpose.SERVER_AUTH).wrap_socket
                with wrap(plain, server_hostname="127.0.0.1") as secure:
                    secure.sendall(b"ping")
                    assert secure.recv(4) == b"ping"
        finally:
            thread.join(10)


def end(certificate: Path) -> float:
    """Unix time at which a certificate ends."""
    command = ["openssl", "x509", "-noout", "-enddate", "-in", certificate]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return ssl.cert_time_to_seconds(done.stdout.strip().removeprefix("notAfter="))


def test_two_nodes_accept_each_other(folder):
    handshake(folder / "head", folder / "worker-1")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_node_of_another_authority_is_refused(folder, tmp_path):
    assert certificates(tmp_path / "other", "stranger=192.0.2.66").returncode == 0
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(folder / "head", tmp_path / "other" / "stranger")


def test_a_further_node_is_signed_by_the_same_authority(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert certificates(copy, "late=192.0.2.99").returncode == 0
    handshake(folder / "head", copy / "late")
    authority, late = (end(copy / name) for name in ("ca.crt", "late/tls.crt"))
    assert authority - late > 5 * YEAR, "of nodes that are added in later years too"


def test_nothing_is_overwritten(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = certificates(folder, "late=192.0.2.99", "head=192.0.2.10")
    assert done.returncode == 2
    assert f"{folder / 'head'} exists" in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "node", ["head", "=1.2.3.4", "head=", "../x=1.2.3.4", "a b=1.2.3.4", "a=1.2.3.4;id", "a=b=c"]
)
def test_what_is_no_node_is_refused_by_name(node, tmp_path):
    done = certificates(tmp_path / "new", node)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"got '{node}'" in line
    assert not (tmp_path / "new").exists()


def test_an_address_that_openssl_refuses_leaves_no_folder_of_the_node(tmp_path):
    done = certificates(tmp_path / "new", "head=999.1.1.1")
    assert done.returncode == 2
    assert "head=999.1.1.1" in done.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"ca.crt", "ca.key"}
