"""A media server: HTTP with objects of any size (GET /BYTES), and the same over UDP in paced datagrams."""
import http.server
import socket
import socketserver
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path.rsplit("/", 1)[-1])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        try:
            self.wfile.write(b"x" * size)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    allow_reuse_address = True


def datagrams(address):
    """One socket per address, or the kernel would answer from another one than was asked."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.bind((address, 4433))
    while True:
        request, peer = sock.recvfrom(2048)
        threading.Thread(target=send, args=(sock, peer, int(request)), daemon=True).start()


def send(sock, peer, size):
    while size > 0:
        try:
            sock.sendto(b"x" * min(size, 1200), peer)
        except OSError:
            pass
        size -= 1200
        time.sleep(0.0002)


for last in (10, 11, 12):
    threading.Thread(target=datagrams, args=("2001:db8:1::%d" % last,), daemon=True).start()
Server(("::", 8080), Handler).serve_forever()
