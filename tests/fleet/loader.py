#!/usr/bin/env python3
"""A collector for `config uplink`: batches of NDJSON into PostgreSQL, each row once.

    loader.py ADDRESS PORT "psql connection string" [TOKEN]

A batch is one transaction. Rows have names, so a batch that comes twice, because its answer was lost, changes
nothing. `streamguard_batch` remembers what each batch said: the same key with other rows is an error (409).

For the test of lost answers: while FILE.mute exists next to the socket file named in LOADER_FAULTS, a batch is kept
and the connection closed without an answer; while FILE.refuse exists, nothing is kept and the answer is 503.
"""
import hashlib
import http.server
import os
import subprocess
import sys

# With each batch, because the database may be away when we start.
TABLES = """
SET client_min_messages TO warning;
CREATE TABLE IF NOT EXISTS streamguard (
    id text PRIMARY KEY, router text NOT NULL, kind text NOT NULL, row jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS streamguard_batch (key text PRIMARY KEY, digest text NOT NULL, seen int NOT NULL DEFAULT 1);
"""
# COPY reads a line as one column: neither delimiter nor quote occurs in JSON, which escapes control characters.
LOAD = """
BEGIN;
INSERT INTO streamguard_batch VALUES (:'key', :'digest') ON CONFLICT (key) DO UPDATE SET seen = streamguard_batch.seen + 1;
CREATE TEMP TABLE fresh (row jsonb) ON COMMIT DROP;
COPY fresh FROM STDIN WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');
%s\\.
INSERT INTO streamguard SELECT DISTINCT ON (row->>'id') row->>'id', row->>'router', row->>'kind', row FROM fresh
    ON CONFLICT (id) DO UPDATE SET row = excluded.row;
COMMIT;
SELECT 'same=' || (digest = :'digest') FROM streamguard_batch WHERE key = :'key';
"""
MAX_BODY_BYTES = 4 << 20
FAULTS = os.environ.get("LOADER_FAULTS", "/nonexistent")


def psql(script, **variables):
    words = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *(f"--set={name}={value}" for name, value in variables.items()), CONNECTION]
    return subprocess.run(words, input=script, text=True, capture_output=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if TOKEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401)
        if length > MAX_BODY_BYTES:
            return self.answer(413)
        body = self.rfile.read(length)
        if os.path.exists(FAULTS + ".refuse"):
            return self.answer(503)
        key = self.headers.get("Idempotency-Key", "")
        done = psql(TABLES + LOAD % body.decode(), key=key, digest=hashlib.sha256(body).hexdigest())
        if done.returncode:
            sys.stderr.write(done.stderr)
            return self.answer(503)
        if os.path.exists(FAULTS + ".mute"):
            self.close_connection = True
            return None
        return self.answer(204 if "same=true" in done.stdout else 409)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    ADDRESS, PORT, CONNECTION = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    TOKEN = sys.argv[4] if len(sys.argv) > 4 else None
    http.server.ThreadingHTTPServer((ADDRESS, PORT), Handler).serve_forever()
