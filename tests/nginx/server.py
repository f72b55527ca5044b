"""A real nginx with the shipped configuration, in front of a plugin that runs already."""

import os
import shutil
from pathlib import Path

from dev.harness import ROOT, Process
from tests.nginx.certificate import make_certificate
from tests.ports import free_port

HOST = "plugin.example.com"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def start_nginx(directory: Path, plugin: str) -> tuple[int, int, Process]:
    """Start it, for localhost.

    Args:
        directory: where it keeps its log, and its certificate, ``fullchain.pem``.
        plugin: the plugin's address: 'unix:/path' or 'host:port'.

    Returns:
        Its ports for HTTP and for HTTPS, and the process, which may not answer yet.
    """
    make_certificate(directory)
    http, https = free_port(), free_port()
    shipped = (ROOT / "deploy" / "nginx.conf").read_text()
    for place, here in {
        "listen 80;": f"listen 127.0.0.1:{http};",
        "listen [::]:80;": "",
        "listen 443 ssl;": f"listen 127.0.0.1:{https} ssl;",
        "listen [::]:443 ssl;": "",
        f"/etc/letsencrypt/live/{HOST}/": f"{directory}/",
        f"server_name {HOST}": "server_name localhost",
        "/var/log/nginx/": f"{directory}/",
        "unix:/run/b2-iconik-plugin/plugin.sock": plugin,
        # What the machine's OpenSSL would refuse by itself must be refused by nginx.
        "    ssl_protocols ": "    ssl_ciphers ALL:@SECLEVEL=0;\n    ssl_protocols ",
    }.items():
        assert place in shipped
        shipped = shipped.replace(place, here)
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"{user} daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;\n"
        f"events {{}}\nhttp {{ {temporary}\n{shipped}\n}}\n"
    )
    command = [str(NGINX), "-p", str(directory), "-c", str(directory / "nginx.conf")]
    return http, https, Process(command, {}, directory / "nginx.log")
