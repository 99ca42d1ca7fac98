//! What waits, as SQL: one transaction a commit.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Statement, Transaction, params};

use super::pending::Pending;

/// Generations of the ledger kept.
const LEDGERS: u32 = 2;

/// Adds bytes to rows that are there already.
pub(super) const ADD: &str = "ON CONFLICT DO UPDATE SET up_bytes = up_bytes + excluded.up_bytes, \
    down_bytes = down_bytes + excluded.down_bytes";

pub(super) fn write(transaction: &Transaction<'_>, pending: &Pending) -> Result<(), rusqlite::Error> {
    if let Some((serial, text)) = &pending.ledger {
        let serial = i64::try_from(*serial).unwrap_or(i64::MAX);
        transaction.execute("INSERT OR REPLACE INTO ledger VALUES (?1, ?2)", params![serial, text])?;
        let old = "DELETE FROM ledger WHERE serial NOT IN (SELECT serial FROM ledger ORDER BY serial DESC LIMIT ?1)";
        transaction.execute(old, [LEDGERS])?;
    }
    let mut usage = transaction.prepare("INSERT OR REPLACE INTO usage VALUES (?1, ?2, ?3)")?;
    for row in &pending.usage {
        usage.execute(params![row.day.as_days(), row.client, row.used_s])?;
    }
    let mut session = transaction.prepare("INSERT INTO session VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in &pending.sessions {
        let services = serde_json::to_string(&row.services).unwrap_or_default();
        let servers = serde_json::to_string(&row.servers).unwrap_or_default();
        session.execute(params![row.client, row.start_s, row.end_s, row.watch_s, services, servers])?;
    }
    write_alerts(transaction, pending)?;
    write_traffic(transaction, pending)
}

fn write_alerts(transaction: &Transaction<'_>, pending: &Pending) -> Result<(), rusqlite::Error> {
    let mut alert = transaction.prepare(
        "INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
            ON CONFLICT (id) DO UPDATE SET \
            severity = excluded.severity, target = excluded.target, last_s = excluded.last_s, \
            closed = excluded.closed, evidence = excluded.evidence, opinion = excluded.opinion, \
            acked_s = coalesce(excluded.acked_s, acked_s), note = coalesce(excluded.note, note), \
            resolved_s = coalesce(excluded.resolved_s, resolved_s)",
    )?;
    for row in &pending.alerts {
        alert.execute(params![
            row.id,
            row.kind,
            row.severity,
            row.source,
            row.target,
            row.first_s,
            row.last_s,
            row.closed,
            row.evidence,
            row.acked_s,
            row.note,
            row.resolved_s,
            row.opinion
        ])?;
    }
    Ok(())
}

fn write_traffic(transaction: &Transaction<'_>, pending: &Pending) -> Result<(), rusqlite::Error> {
    let mut labels = Labels {
        find: transaction.prepare("SELECT id FROM label WHERE text = ?1")?,
        add: transaction.prepare("INSERT INTO label (text) VALUES (?1)")?,
        known: HashMap::new(),
    };
    let mut add =
        transaction.prepare(&format!("INSERT INTO moved VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6) {ADD}"))?;
    for (hour_s, rows) in &pending.traffic {
        for ((client, (service, protocol)), moved) in rows {
            let [client, service, protocol] = [client, service, protocol].map(|text| labels.number(text));
            let [up, down] = [moved.up, moved.down].map(signed);
            add.execute(params![hour_s, client?, service?, protocol?, up, down])?;
        }
    }
    let mut add = transaction.prepare(&format!("INSERT INTO peer VALUES (?1, ?2, ?3, ?4, ?5) {ADD}"))?;
    for (day, rows) in &pending.peers {
        for ((client, peer), moved) in rows {
            let [up, down] = [moved.up, moved.down].map(signed);
            add.execute(params![day, labels.number(client)?, peer, up, down])?;
        }
    }
    Ok(())
}

/// SQLite's integers end earlier than ours.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Numbers of texts, each looked up once a commit.
struct Labels<'t> {
    find: Statement<'t>,
    add: Statement<'t>,
    known: HashMap<String, i64>,
}

impl Labels<'_> {
    fn number(&mut self, text: &str) -> Result<i64, rusqlite::Error> {
        if let Some(&number) = self.known.get(text) {
            return Ok(number);
        }
        let number = match self.find.query_row([text], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => self.add.insert([text])?,
        };
        self.known.insert(text.to_owned(), number);
        Ok(number)
    }
}
