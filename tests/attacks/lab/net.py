"""The street of the attack lab: a router, a household, and the outside.

    sgatk-wan                     sgatk-rtr                    sgatk-{att,cli,nas,cam,tv}
    203.0.113.10 servers   wan -- br-lan 192.168.7.1 -- veth -- .66  .20  .30  .50  .40
    198.51.100.0/24 many hosts    resolver, DHCP

What crosses br-lan is recorded. Nothing outside the namespaces named sgatk-* is touched; `down` removes all of it, also
what an interrupted run left behind.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

PREFIX = "sgatk-"
HOSTS = {"att": 66, "cli": 20, "nas": 30, "tv": 40, "cam": 50}
LAN, LAN6 = "192.168.7", "fd07"
ATTACKER, BYSTANDER, NAS = f"{LAN}.66", f"{LAN}.20", f"{LAN}.30"
SERVER, DOMAIN_SERVER, TUNNEL_SERVER = "203.0.113.10", "203.0.113.54", "203.0.113.53"

NGINX = """worker_processes 1; daemon on; pid {work}/nginx.pid; error_log {work}/nginx.err;
events {{ worker_connections 900; }}
http {{ access_log off; client_body_timeout 60s; client_header_timeout 60s; large_client_header_buffers 8 32k;
  server {{ listen 80 default_server; listen [::]:80 default_server; root {work}/www;
    location /login {{ return 401 "bad"; }}
    location /form {{ if ($request_method = POST) {{ return 302 /index.html; }} }}
    location /private {{ auth_basic "x"; auth_basic_user_file {work}/htpasswd; }}
    location /upload {{ client_max_body_size 100m; proxy_pass http://127.0.0.1:9; }} }} }}
"""
SSHD = """Port 22
HostKey {work}/host_key
PidFile none
AuthorizedKeysFile {work}/authorized
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
MaxAuthTries 6
MaxStartups 60:30:120
UseDNS no
Subsystem sftp internal-sftp
"""
VSFTPD = """listen=YES
anonymous_enable=YES
local_enable=YES
no_anon_password=YES
secure_chroot_dir={work}/empty
anon_root={work}/www
max_per_ip=0
seccomp_sandbox=NO
"""


def sh(*words, check=True):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if check and run.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {run.stderr.strip()}")
    return run.stdout


def inside(host, *words):
    """The command line that runs words in a namespace."""
    return ["ip", "netns", "exec", PREFIX + host, *map(str, words)]


def start(host, *words, log=None, cwd=None):
    out = open(log, "w") if log else subprocess.DEVNULL
    return subprocess.Popen(inside(host, *words), stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd)


def stop(host, name):
    """Ends the programs of a name in one namespace."""
    for pid in sh("ip", "netns", "pids", PREFIX + host, check=False).split():
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name:
                os.kill(int(pid), signal.SIGTERM)
        except (ProcessLookupError, FileNotFoundError):
            pass


def down():
    names = [word for word in sh("ip", "netns", "list", check=False).split() if word.startswith(PREFIX)]
    for name in names:
        for pid in sh("ip", "netns", "pids", name, check=False).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        sh("ip", "netns", "del", name, check=False)
        shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)


def quiet(host, device):
    """No offloads: every frame crosses the bridge as it would on a wire."""
    sh(*inside(host, "ethtool", "-K", device, "tx", "off", "gro", "off", "gso", "off", "tso", "off"), check=False)


def up(work):
    down()
    work.mkdir(parents=True, exist_ok=True)
    for host in ("wan", "rtr", *HOSTS):
        sh("ip", "netns", "add", PREFIX + host)
        sh("ip", "-n", PREFIX + host, "link", "set", "lo", "up")
        resolv = pathlib.Path(f"/etc/netns/{PREFIX}{host}")
        resolv.mkdir(parents=True, exist_ok=True)
        (resolv / "resolv.conf").write_text(f"nameserver {LAN}.1\n")
    rtr, wan = PREFIX + "rtr", PREFIX + "wan"
    for words in (
        ["link", "add", "br-lan", "address", "02:00:00:00:07:01", "type", "bridge"],
        ["addr", "add", f"{LAN}.1/24", "dev", "br-lan"],
        ["addr", "add", f"{LAN6}::1/64", "dev", "br-lan", "nodad"],
        ["link", "set", "br-lan", "up"],
    ):
        sh("ip", "-n", rtr, *words)
    sh("ip", "link", "add", "wan", "netns", rtr, "type", "veth", "peer", "name", "eth0", "netns", wan)
    for ns, device, addrs in (
        (rtr, "wan", ["203.0.113.1/24", "2001:db8::1/64"]),
        (wan, "eth0", [f"{SERVER}/24", f"{DOMAIN_SERVER}/24", f"{TUNNEL_SERVER}/24", "2001:db8::10/64"]),
    ):
        for addr in addrs:
            sh("ip", "-n", ns, "addr", "add", addr, "dev", device, *(["nodad"] if ":" in addr else []))
        sh("ip", "-n", ns, "link", "set", device, "up")
        quiet(ns.removeprefix(PREFIX), device)
    # Beyond the server: 250 web hosts, and half a network without anybody.
    for words in (
        ["route", "add", "default", "via", "203.0.113.1"],
        ["route", "add", "local", "198.51.100.0/24", "dev", "lo"],
        ["-6", "route", "add", "default", "via", "2001:db8::1"],
    ):
        sh("ip", "-n", wan, *words)
    sh("ip", "-n", rtr, "route", "add", "198.51.100.0/24", "via", SERVER)
    sh("ip", "-n", rtr, "route", "add", "198.18.0.0/15", "via", SERVER)
    sh("ip", "-n", wan, "route", "add", "blackhole", "198.18.0.0/15")
    sh(*inside("rtr", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"))
    for host in HOSTS:
        plug(host)
    time.sleep(1)


def plug(host):
    ns, number, rtr = PREFIX + host, HOSTS[host], PREFIX + "rtr"
    sh("ip", "link", "add", f"v-{host}", "netns", rtr, "type", "veth", "peer", "name", "eth0", "netns", ns)
    sh("ip", "-n", rtr, "link", "set", f"v-{host}", "master", "br-lan", "up")
    sh("ip", "-n", ns, "link", "set", "eth0", "address", f"02:00:00:00:07:{number:02x}")
    sh("ip", "-n", ns, "addr", "add", f"{LAN}.{number}/24", "dev", "eth0")
    sh("ip", "-n", ns, "addr", "add", f"{LAN6}::{number}/64", "dev", "eth0", "nodad")
    sh("ip", "-n", ns, "link", "set", "eth0", "up")
    sh("ip", "-n", ns, "route", "add", "default", "via", f"{LAN}.1")
    sh("ip", "-n", ns, "-6", "route", "add", "default", "via", f"{LAN6}::1", check=False)
    sh(*inside(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.ping_group_range=0 2147483647"))
    quiet(host, "eth0")
    quiet("rtr", f"v-{host}")


def serve(work):
    """Web, SSH, FTP and names, as the outside and the NAS offer them."""
    www = work / "www"
    www.mkdir(exist_ok=True)
    (work / "empty").mkdir(exist_ok=True)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    for name, size in (("f20k", 20_000), ("seg", 600_000), ("big", 20_000_000)):
        (www / name).write_bytes(os.urandom(size))
    (www / "index.html").write_text("hello " * 400)
    (work / "htpasswd").write_text("admin:{PLAIN}correct horse\n")
    for path in (work, www, work / "empty"):
        path.chmod(0o755)
    for key in ("host_key", "user_key"):
        if not (work / key).exists():
            sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / key)
    shutil.copy(work / "user_key.pub", work / "authorized")
    for name, text in (("nginx.conf", NGINX), ("sshd.conf", SSHD), ("vsftpd.conf", VSFTPD)):
        (work / name).write_text(text.format(work=work))
    names = "\n".join(f"198.51.100.{i % 250 + 1} host{i}.example.net cdn{i}.akam.example.org" for i in range(400))
    (work / "names").write_text(names + "\n")
    sh(*inside("wan", "nginx", "-c", work / "nginx.conf"))
    for host in ("wan", "nas", "rtr"):
        start(host, "/usr/sbin/sshd", "-D", "-f", work / "sshd.conf")
    start("wan", "vsftpd", work / "vsftpd.conf")
    dnsmasq = ["dnsmasq", "-C", "/dev/null", "--no-daemon", "--no-resolv", "--no-hosts", "--bind-interfaces"]
    start("wan", *dnsmasq, f"--addn-hosts={work}/names", "--address=/wild.example.com/198.51.100.9",
          "--txt-record=txt.wild.example.com,v=spf1 include:_spf.example.com ~all", f"--listen-address={DOMAIN_SERVER}")
    start("rtr", *dnsmasq, f"--server={DOMAIN_SERVER}", f"--server=/evil.example/{TUNNEL_SERVER}",
          f"--listen-address={LAN}.1", "--cache-size=150", f"--dhcp-range={LAN}.150,{LAN}.160,1h",
          f"--dhcp-leasefile={work}/leases")
    time.sleep(1.5)
