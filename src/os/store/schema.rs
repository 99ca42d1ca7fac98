//! The tables, and how a database of an earlier release becomes one of this. A migration is never edited after a
//! release and imports nothing: it is text that was true on the day it was written.

use rusqlite::Connection;

use super::StoreError;

/// What turns version `n` into version `n + 1`, from an empty file on.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE ledger (serial INTEGER PRIMARY KEY, text TEXT NOT NULL);
    CREATE TABLE usage (day INTEGER NOT NULL, client TEXT NOT NULL, used_s INTEGER NOT NULL,
        PRIMARY KEY (day, client)) WITHOUT ROWID;
    CREATE TABLE session (id INTEGER PRIMARY KEY, client TEXT NOT NULL, start_s INTEGER NOT NULL,
        end_s INTEGER NOT NULL, watch_s INTEGER NOT NULL, services TEXT NOT NULL, servers TEXT NOT NULL);
    CREATE INDEX session_start ON session (start_s);
    CREATE TABLE traffic (stretch INTEGER NOT NULL, start_s INTEGER NOT NULL, client TEXT NOT NULL,
        service TEXT NOT NULL, protocol TEXT NOT NULL, up_bytes INTEGER NOT NULL, down_bytes INTEGER NOT NULL,
        PRIMARY KEY (stretch, start_s, client, service, protocol)) WITHOUT ROWID;
    CREATE TABLE alert (id INTEGER PRIMARY KEY, type TEXT NOT NULL, severity TEXT NOT NULL, source TEXT NOT NULL,
        target TEXT, first_s INTEGER NOT NULL, last_s INTEGER NOT NULL, closed INTEGER NOT NULL,
        evidence TEXT NOT NULL, acked_s INTEGER, note TEXT);
    CREATE INDEX alert_last ON alert (last_s);
    CREATE TABLE wear (day INTEGER PRIMARY KEY, commits INTEGER NOT NULL);
",
    // A new column the long way: SQLite is built for routers without ALTER (openwrt/sqlite.flags).
    "
    CREATE TABLE old AS SELECT * FROM alert;
    DROP TABLE alert;
    CREATE TABLE alert (id INTEGER PRIMARY KEY, type TEXT NOT NULL, severity TEXT NOT NULL, source TEXT NOT NULL,
        target TEXT, first_s INTEGER NOT NULL, last_s INTEGER NOT NULL, closed INTEGER NOT NULL,
        evidence TEXT NOT NULL, acked_s INTEGER, note TEXT, resolved_s INTEGER);
    CREATE INDEX alert_last ON alert (last_s);
    INSERT INTO alert SELECT *, NULL FROM old;
    DROP TABLE old;
",
    // Texts once, as numbers in the rows: a row of traffic takes some 27 bytes instead of 70.
    "
    CREATE TABLE label (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
    INSERT INTO label VALUES (1, '');
    INSERT INTO label VALUES (2, '(other)');
    INSERT OR IGNORE INTO label (text) SELECT client FROM traffic;
    INSERT OR IGNORE INTO label (text) SELECT service FROM traffic;
    INSERT OR IGNORE INTO label (text) SELECT protocol FROM traffic;
    CREATE TABLE moved (stretch INTEGER NOT NULL, start_s INTEGER NOT NULL, client INTEGER NOT NULL,
        service INTEGER NOT NULL, protocol INTEGER NOT NULL, up_bytes INTEGER NOT NULL, down_bytes INTEGER NOT NULL,
        PRIMARY KEY (stretch, start_s, client, service, protocol)) WITHOUT ROWID;
    INSERT INTO moved SELECT CASE stretch WHEN 86400 THEN 2 ELSE 1 END,
            CASE stretch WHEN 60 THEN start_s / 3600 * 3600 ELSE start_s END, c.id, s.id, p.id,
            sum(up_bytes), sum(down_bytes)
        FROM traffic JOIN label c ON c.text = client JOIN label s ON s.text = service
            JOIN label p ON p.text = protocol
        GROUP BY 1, 2, 3, 4, 5;
    DROP TABLE traffic;
    CREATE TABLE peer (day INTEGER NOT NULL, client INTEGER NOT NULL, peer TEXT NOT NULL, up_bytes INTEGER NOT NULL,
        down_bytes INTEGER NOT NULL, PRIMARY KEY (day, client, peer)) WITHOUT ROWID;
    CREATE VIEW traffic AS SELECT CASE stretch WHEN 1 THEN 'hour' ELSE 'day' END AS stretch,
            datetime(start_s, 'unixepoch') AS start_utc, c.text AS client, s.text AS service, p.text AS protocol,
            up_bytes, down_bytes
        FROM moved JOIN label c ON c.id = client JOIN label s ON s.id = service JOIN label p ON p.id = protocol;
    CREATE VIEW peers AS SELECT date(day * 86400, 'unixepoch') AS day, c.text AS client, peer, up_bytes, down_bytes
        FROM peer JOIN label c ON c.id = client;
",
    // What the second opinion says of an alert.
    "
    CREATE TABLE old AS SELECT * FROM alert;
    DROP TABLE alert;
    CREATE TABLE alert (id INTEGER PRIMARY KEY, type TEXT NOT NULL, severity TEXT NOT NULL, source TEXT NOT NULL,
        target TEXT, first_s INTEGER NOT NULL, last_s INTEGER NOT NULL, closed INTEGER NOT NULL,
        evidence TEXT NOT NULL, acked_s INTEGER, note TEXT, resolved_s INTEGER, opinion TEXT);
    CREATE INDEX alert_last ON alert (last_s);
    INSERT INTO alert SELECT *, NULL FROM old;
    DROP TABLE old;
",
];

/// The version this program writes, kept in SQLite's `user_version`.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings a database to [`VERSION`], each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let failed = |source| StoreError::Sql { what: "migrate", source };
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > VERSION {
        return Err(StoreError::Version { found, known: VERSION });
    }
    for (version, step) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(step).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
