#!/bin/sh
# Installs the attack lab's tools where they are missing. Needs root; safe to run again.
set -eu
missing=
for pair in nmap:nmap masscan:masscan hping3:hping3 hydra:hydra ncrack:ncrack medusa:medusa slowhttptest:slowhttptest \
    arpspoof:dsniff arp-scan:arp-scan fping:fping ping:iputils-ping iodine:iodine dns2tcpc:dns2tcp ptunnel:ptunnel \
    atk6-fake_router26:thc-ipv6 ab:apache2-utils wrk:wrk iperf3:iperf3 nginx:nginx-light vsftpd:vsftpd \
    sshd:openssh-server sshpass:sshpass dnsmasq:dnsmasq-base tcpdump:tcpdump ip:iproute2 ethtool:ethtool zstd:zstd curl:curl; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
if [ -n "$missing" ]; then
    echo "attack lab: installing$missing"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $missing >/dev/null
fi
