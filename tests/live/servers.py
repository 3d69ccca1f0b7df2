"""Servers that nobody here wrote, as processes we own: nginx, `openssl s_server`, Apache.

They are the judges of the live tests: what a client certificate is worth is decided by their code.
Each factory takes an empty directory, the test certificates and the server's own words for how it
asks for a client certificate, and returns a running `Server`. Ports are free loopback ports; a server
counts as ready once its own log says that it listens, so a stranger on the same port cannot pass for
it. What may not live here: anything from mtls_notebook, any assertion.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

HOST = "127.0.0.1"
START_LIMIT_S = 20.0
STOP_LIMIT_S = 10.0
POLL_S = 0.005

Version = Literal["1.2", "1.3", "both"]


class NotInstalled(Exception):
    """The server's program is not on this machine."""


class DidNotStart(Exception):
    """The program ended, or never said that it listens; the message ends with its log."""


class Pair(Protocol):
    """Paths of a PEM certificate (chain) and of its PEM key."""

    @property
    def cert(self) -> Path: ...
    @property
    def key(self) -> Path: ...


class Material(Protocol):
    """What a server needs: whom it trusts, and who it is."""

    @property
    def ca(self) -> Path: ...
    @property
    def server(self) -> Pair: ...


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `version` is "1.2", "1.3" or "both"; a `with` block stops it at its end."""

    port: int
    name: str
    version: str
    log_path: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    host: str = HOST
    scratch: Path | None = None

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"https://{self.host}:{self.port}"

    def log(self) -> str:
        """Return what the server has logged so far."""
        return _read(self.log_path)

    def stop(self) -> None:
        """End the process, by its id, and remove what lies outside the test's own directory."""
        _end(self.process)
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def program(name: str) -> str:
    """Return the full path of a server's program. Raises NotInstalled."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise NotInstalled(f"{name} is not installed")
    return found


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


# ---- nginx

NGINX_PROTOCOLS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3", "both": "TLSv1.2 TLSv1.3"}

# One process, so that one id is the whole server. Both the headers and the body name what nginx saw.
NGINX_CONF = """\
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 256; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_timeout 60s;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen {host}:{port} ssl{http2};
    server_name localhost;
    ssl_protocols {protocols};
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_client_certificate {ca};
    ssl_verify_client {verify};
    ssl_verify_depth 3;
    ssl_session_cache shared:sessions:1m;
    add_header X-Client-Verify $ssl_client_verify always;
    add_header X-Client-Subject $ssl_client_s_dn always;
    add_header X-TLS-Version $ssl_protocol always;
    location / {{
      return 200 "server: nginx
subject: $ssl_client_s_dn
issuer: $ssl_client_i_dn
serial: $ssl_client_serial
fingerprint: $ssl_client_fingerprint
verify: $ssl_client_verify
protocol: $ssl_protocol
cipher: $ssl_cipher
resumed: $ssl_session_reused
server-name: $ssl_server_name
request: $request_method $request_uri
requests-on-connection: $connection_requests
";
    }}
  }}
}}
"""


def nginx(
    directory: Path,
    pki: Material,
    *,
    verify: Literal["on", "off", "optional", "optional_no_ca"] = "on",
    version: Version = "1.3",
    http2: bool = False,
) -> Server:
    """Return an nginx; `verify` is its ssl_verify_client. It refuses with HTTP 400, never with an alert."""

    def start() -> Server:
        port = free_port()
        text = NGINX_CONF.format(
            host=HOST,
            port=port,
            http2=" http2" if http2 else "",  # `http2 on` is newer than Debian's
            protocols=NGINX_PROTOCOLS[version],
            verify=verify,
            cert=pki.server.cert,
            key=pki.server.key,
            ca=pki.ca,
        )
        conf, log = directory / "nginx.conf", directory / "error.log"
        conf.write_text(text, "utf-8")
        argv = [program("nginx"), "-p", str(directory), "-c", str(conf), "-e", str(log)]
        process = _spawn(argv, directory / "output.log")
        # Written once the listening sockets are open.
        _await_line(process, log, 'using the "', directory / "output.log")
        return Server(port, "nginx", version, log, process)

    return _on_a_free_port(start, directory)


# ---- openssl s_server

S_SERVER_VERSIONS = {"1.2": ["-tls1_2"], "1.3": ["-tls1_3"], "both": []}
S_SERVER_VERIFY = {
    "on": ["-Verify", "1", "-verify_return_error"],
    "optional": ["-verify", "1", "-verify_return_error"],
    "off": [],
}


def s_server(
    directory: Path,
    pki: Material,
    *,
    verify: Literal["on", "off", "optional"] = "on",
    version: Version = "1.3",
    answer: Literal["www", "rev"] = "www",
    extra: tuple[str, ...] = (),
) -> Server:
    """Return an `openssl s_server`: every refusal is an alert. It serves one connection at a time.

    `answer` "www" gives a status page and closes; "rev" sends each line back reversed.
    `extra` is more of its own options, for example ("-client_sigalgs", "RSA-PSS+SHA256").
    """
    log = directory / "s_server.log"
    argv = [program("openssl"), "s_server", "-accept", f"{HOST}:0", f"-{answer}"]
    argv += ["-cert", str(pki.server.cert), "-key", str(pki.server.key)]
    argv += ["-CAfile", str(pki.ca), "-no-CApath", "-no-CAstore"]
    argv += [*S_SERVER_VERIFY[verify], *S_SERVER_VERSIONS[version], *extra]
    process = _spawn(argv, log)
    line = _await_line(process, log, "ACCEPT ")
    found = re.search(r"ACCEPT .*:(\d+)", line)
    if found is None:
        _end(process)
        raise DidNotStart(f"s_server names no port in {line!r}")
    return Server(int(found[1]), "s_server", version, log, process)


# ---- Apache

APACHE_PROTOCOLS = {"1.2": "-all +TLSv1.2", "1.3": "-all +TLSv1.3", "both": "-all +TLSv1.2 +TLSv1.3"}
APACHE_MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "headers", "dir")
APACHE_MODULE_DIRS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/libexec/apache2")

# "location" asks only under /private/: by post-handshake authentication in TLS 1.3, by a second
# handshake in TLS 1.2.
APACHE_VERIFY = {
    "require": "SSLVerifyClient require",
    "optional": "SSLVerifyClient optional",
    "none": "SSLVerifyClient none",
    "location": 'SSLVerifyClient none\n<Location "/private/">\n  SSLVerifyClient require\n</Location>',
}

APACHE_CONF = """\
{modules}
ServerRoot "{directory}"
DefaultRuntimeDir "{directory}"
PidFile apache.pid
ServerName localhost
Listen {host}:{port}
{user}
ErrorLog error.log
LogLevel notice ssl:info
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
MinSpareThreads 1
MaxSpareThreads 16
KeepAlive On
KeepAliveTimeout 60
SSLSessionCache shmcb:{directory}/sessions(65536)
SSLEngine on
SSLProtocol {protocols}
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
SSLCACertificateFile {ca}
SSLVerifyDepth 3
{verify}
DocumentRoot "{documents}"
DirectoryIndex index.txt
Header always set X-Client-Verify "%{{SSL_CLIENT_VERIFY}}s"
Header always set X-Client-Subject "%{{SSL_CLIENT_S_DN}}s"
Header always set X-TLS-Version "%{{SSL_PROTOCOL}}s"
"""


def apache(
    directory: Path,
    pki: Material,
    *,
    verify: Literal["require", "optional", "none", "location"] = "location",
    version: Version = "1.3",
    http2: bool = False,
) -> Server:
    """Return an Apache; `verify` "location" asks for a certificate only under /private/, mid-connection."""
    documents = _documents()

    def start() -> Server:
        port = free_port()
        text = APACHE_CONF.format(
            modules=_apache_modules(http2=http2),
            directory=directory,
            host=HOST,
            port=port,
            user=_apache_user(),
            protocols=APACHE_PROTOCOLS[version],
            cert=pki.server.cert,
            key=pki.server.key,
            ca=pki.ca,
            verify=APACHE_VERIFY[verify],
            documents=documents,
        )
        conf, log, output = directory / "apache.conf", directory / "error.log", directory / "output.log"
        conf.write_text(text, "utf-8")
        argv = [program("apache2"), "-d", str(directory), "-f", str(conf), "-DFOREGROUND"]
        process = _spawn(argv, output)
        _await_line(process, log, "resuming normal operations", output)
        return Server(port, "apache", version, log, process, scratch=documents)

    try:
        return _on_a_free_port(start, directory)
    except BaseException:
        shutil.rmtree(documents, ignore_errors=True)
        raise


def _documents() -> Path:
    """Return a folder that Apache's own user can read; pytest's temporary folders are closed to it."""
    documents = Path(tempfile.mkdtemp(prefix="mtls-notebook-apache-"))
    for folder in (documents, documents / "private"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        (folder / "index.txt").write_text(f"apache {folder.relative_to(documents)}\n", "utf-8")
        (folder / "index.txt").chmod(0o644)
    return documents


def _apache_modules(*, http2: bool) -> str:
    folder = next((Path(d) for d in APACHE_MODULE_DIRS if Path(d).is_dir()), None)
    if folder is None:
        raise NotInstalled("Apache's modules are not installed")
    modules = [*APACHE_MODULES, *(["http2"] if http2 else [])]
    lines = [f"LoadModule {m}_module {folder}/mod_{m}.so" for m in modules]
    return "\n".join([*lines, *(["Protocols h2 http/1.1"] if http2 else [])])


def _apache_user() -> str:
    """Return who serves: Apache refuses to serve as root, and cannot change its user otherwise."""
    return "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""


# ---- processes


def _spawn(argv: list[str], output: Path) -> subprocess.Popen[bytes]:
    """Start a program that dies with us, even by kill -9, where `setpriv` can arrange that."""
    guard = shutil.which("setpriv")
    prefix = [guard, "--pdeathsig", "TERM", "--"] if guard else []
    with output.open("wb") as sink:
        return subprocess.Popen([*prefix, *argv], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def _await_line(process: subprocess.Popen[bytes], log: Path, mark: str, *more: Path) -> str:
    """Return the first whole line of `log` that holds `mark`. Raises DidNotStart, the process ended."""
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        ended = process.poll() is not None
        lines = [line for line in _read(log).splitlines(keepends=True) if line.endswith("\n")]
        if found := next((line for line in lines if mark in line), None):
            return found
        if ended:
            break
        time.sleep(POLL_S)
    _end(process)
    logs = "\n".join(_read(path) for path in (log, *more))
    raise DidNotStart(f"{process.args!r} never logged {mark!r}:\n{logs}")


def _on_a_free_port(start: Callable[[], Server], directory: Path) -> Server:
    """Return what `start` returns; when somebody took its port in between, try again on another."""
    for _ in range(4):
        try:
            return start()
        except DidNotStart as error:
            if "in use" not in str(error):
                raise
            for log in directory.glob("*.log"):
                log.unlink()
    return start()
