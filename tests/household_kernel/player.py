"""player.py tcp|udp HOST[,HOST...] SEGMENT_BYTES GAP_SECONDS

Fetches a segment every GAP seconds until killed, from the next host after one could not be had. Prints the time of what arrives, one line each:
`data T BYTES` for every piece, `end T` after a whole segment, `fail T` when one could not be had."""
import http.client
import socket
import sys
import time

how, hosts, size, gap = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), float(sys.argv[4])


def say(word, *rest):
    print(word, "%.3f" % time.time(), *rest, flush=True)


def over_tcp(state):
    state.setdefault("http", http.client.HTTPConnection(hosts[0], 8080, timeout=3))
    state["http"].request("GET", "/%d" % size)
    answer = state["http"].getresponse()
    while piece := answer.read(65536):
        say("data", len(piece))


def over_udp(state):
    if "sock" not in state:
        family = socket.AF_INET6 if ":" in hosts[0] else socket.AF_INET
        state["sock"] = socket.socket(family, socket.SOCK_DGRAM)
        state["sock"].connect((hosts[0], 4433))
        state["sock"].settimeout(1)
    state["sock"].send(b"%d" % size)
    left = size
    while left > 0:
        piece = len(state["sock"].recv(2048))
        left -= piece
        say("data", piece)


state = {}
while True:
    began = time.time()
    try:
        (over_tcp if how == "tcp" else over_udp)(state)
        say("end")
    except (OSError, http.client.HTTPException) as error:
        say("fail", type(error).__name__)
        state.clear()
        hosts.append(hosts.pop(0))
    time.sleep(max(0.2, gap - (time.time() - began)))
