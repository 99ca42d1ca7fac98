"""The shipped /etc/config/streamguard against the schema it must carry.

`options.py paragraphs`: each option, live or given as a commented example, has
an explanation right above it. `options.py schema`: sections and options are
exactly those of SCHEMA below, and live ones carry its defaults.
"""

import re
import sys

FILE = "files/etc/config/streamguard"

# section type: {option: default}; a list where UCI has one; None: example only.
SCHEMA = {
    "streamguard": {
        "enabled": "1", "mode": "enforce", "quota": "30", "reset_time": "04:00", "warn": "5", "grace": "2",
        "scope": "streaming", "action": "reject", "throttle": "256", "sensitivity": "normal", "learn_days": "0",
        "interface": ["lan"], "exempt_service": None, "exempt_address": None, "default_profile": "",
        "unknown_shared": "1", "model": "", "on_stop": "release", "state_dir": "/etc/streamguard",
        "commit_interval": "15m", "db_max": "1M", "history_days": "90", "names": "1", "log_level": "notice",
    },
    "profile": dict.fromkeys(["name", "quota", "quota_day", "allow", "shared", "exempt_service"]),
    "client": dict.fromkeys(["name", "mac", "address", "profile", "policy"]),
    "plan": dict.fromkeys(["who", "network", "period", "reset_day", "limit", "action", "throttle"]),
    "detect": {"enabled": "1", "block": "", "exempt": None, "port_scan_threshold": None} | dict.fromkeys(
        "port_scan host_sweep syn_flood udp_flood icmp_flood amplification http_flood ssh_brute_force brute_force "
        "web_brute_force slowloris slow_post arp_spoof rogue_dhcp rogue_ra dns_tunnel icmp_tunnel ddos_out beaconing "
        "lateral_movement exfiltration".split(), "1"),
    "dns": {"blackhole": "off"},
    "capture": {"snaplen": "128", "ring": "2M", "packets": "2M", "dir": "/tmp/streamguard",
                "offload": "auto"},
    "notify": {"webhook": "", "hooks": "/etc/streamguard/hooks.d"},
    "web": {"enabled": "0", "listen": "127.0.0.1:8990", "token_hash": "", "child_page": "0", "child_listen": ""},
    "uplink": {"enabled": "0", "url": "", "token": "", "spool": "1M"},
    "ipfix": {"enabled": "0", "collector": "", "transport": "udp"},
}

STATEMENT = re.compile(r"^\s*(#?)\s*(config|option|list)\s+(\S+)(?:\s+'([^']*)')?\s*$")


def statements():
    """(line number, live, kind, name, value, explained) for each statement."""
    explained = False
    head = True  # the introduction shows an example client of its own
    for number, line in enumerate(open(FILE), 1):
        found = STATEMENT.match(line)
        if found:
            mark, kind, name, value = found.groups()
            head = head and not (kind == "config" and not mark)
            if not head:
                yield number, not mark, kind, name, value, explained
        elif line.strip() not in ("", "#"):
            explained = True
        else:
            explained = False


def paragraphs():
    return [f"{FILE}:{n}: {name} has no paragraph" for n, name, explained in grouped() if not explained]


def grouped():
    """Options; one directly below another shares its paragraph."""
    last = None
    for n, _, kind, name, _, explained in statements():
        if kind != "config":
            shares = last is not None and last[0] == n - 1 and last[1]
            yield n, name, explained or shares
            last = (n, explained or shares)


def schema():
    wrong, section, seen = [], None, {}
    for n, live, kind, name, value, _ in statements():
        if kind == "config":
            section = name
            if section not in SCHEMA:
                wrong.append(f"{FILE}:{n}: no such section: {section}")
            seen.setdefault(section, {})
            continue
        known = SCHEMA.get(section, {})
        if name not in known:
            wrong.append(f"{FILE}:{n}: no such option: {section}.{name}")
            continue
        default = known[name]
        want = default[0] if isinstance(default, list) else default
        if live and value != want:
            wrong.append(f"{FILE}:{n}: {name} is '{value}', the default is {want!r}")
        if not live and default is not None:
            wrong.append(f"{FILE}:{n}: {name} is commented out and has a default")
        seen[section][name] = True
    for section, options in SCHEMA.items():
        for name in options:
            if name not in seen.get(section, {}):
                wrong.append(f"{FILE}: {section}.{name} is missing")
    return wrong


if __name__ == "__main__":
    problems = {"paragraphs": paragraphs, "schema": schema}[sys.argv[1]]()
    print("\n".join(problems))
    sys.exit(bool(problems))
