//! Flows and services, told when a flow ends: written at once, so that a report of millions costs no memory.

use std::io::{self, Write};

use super::output::Form;
use super::selection::{Report, Selection};
use crate::account::{Count, Services};
use crate::engine::Engine;
use crate::flow::{Ended, EndedBy, Flow, Half};
use crate::names::Pair;
use crate::net::{Addr, ClientId};
use crate::report::flows::FlowRow;
use crate::report::json::JsonObject;
use crate::report::row::{Row, Rows};
use crate::report::text;

/// What is done with flows that end.
pub(super) struct FlowReports {
    form: Form,
    list: Listing,
    services: Option<Services>,
    rows: Rows,
}

/// Whether flows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listing {
    No,
    BeforeFirst,
    Begun,
}

impl FlowReports {
    pub(super) fn new(selection: &Selection, form: Form) -> Self {
        let list = if selection.has(Report::Flows) { Listing::BeforeFirst } else { Listing::No };
        let services = selection.has(Report::Services).then(Services::default);
        Self { form, list, services, rows: Rows::default() }
    }

    /// For output that is something else altogether.
    pub(super) fn none() -> Self {
        Self { form: Form::Text, list: Listing::No, services: None, rows: Rows::default() }
    }

    /// Whether anybody asked.
    pub(super) fn are_wanted(&self) -> bool {
        self.list != Listing::No || self.services.is_some()
    }

    /// What precedes the flows.
    pub(super) fn begin(&self, json: &mut JsonObject, out: &mut impl Write) -> io::Result<()> {
        match (self.list, self.form) {
            (Listing::No, _) => Ok(()),
            (_, Form::Json) => json.open_list(out, "flows"),
            (_, Form::Csv) => text::csv_section(out, &mut true, FlowRow::COLUMNS),
            (_, Form::Text) => FlowRow::text_header(out),
        }
    }

    /// A flow is over.
    pub(super) fn take(&mut self, engine: &Engine, ended: &Ended, out: &mut impl Write) -> io::Result<()> {
        let Ended { flow, by, .. } = ended;
        let end = client_end(engine, flow);
        let label = end.and_then(|(client, server, _)| {
            let pair = Pair { client, addr: server };
            engine.names().names().lookup(pair, flow.last).map(|known| known.service.label)
        });
        if let Some(services) = &mut self.services {
            let (orig, resp) = (sent(&flow.orig), sent(&flow.resp));
            match end {
                Some((_, _, Began::Server)) => services.count(label.unwrap_or_default(), resp, orig),
                Some((_, _, Began::Client)) | None => services.count(label.unwrap_or_default(), orig, resp),
            }
        }
        let first = engine.seen().first.unwrap_or_default();
        self.write(&FlowRow::new(flow, *by, label, first), out)
    }

    fn write(&mut self, row: &FlowRow<'_>, out: &mut impl Write) -> io::Result<()> {
        if self.list == Listing::No {
            return Ok(());
        }
        match self.form {
            Form::Json => self.rows.json(out, self.list == Listing::BeforeFirst, row)?,
            Form::Csv => self.rows.csv(out, row)?,
            Form::Text => row.text(out)?,
        }
        self.list = Listing::Begun;
        Ok(())
    }

    /// All flows that are still open end here; returns what services moved.
    pub(super) fn finish(mut self, engine: &Engine, out: &mut impl Write) -> io::Result<Option<Services>> {
        if !self.are_wanted() {
            return Ok(None);
        }
        for (slot, flow) in engine.flows().iter() {
            self.take(engine, &Ended { flow: *flow, slot, by: EndedBy::Drained }, out)?;
        }
        if self.list != Listing::No && self.form == Form::Json {
            JsonObject::close_list(out)?;
        }
        Ok(self.services)
    }
}

/// Which end of a flow began it.
#[derive(Clone, Copy)]
enum Began {
    Client,
    Server,
}

/// The client of a flow, the other address, and which of them began; `None` without a known client.
fn client_end(engine: &Engine, flow: &Flow) -> Option<(ClientId, Addr, Began)> {
    let (orig, resp) = (flow.tuple.orig.addr, flow.tuple.resp.addr);
    let clients = engine.lan().clients();
    let known = |addr: Addr| {
        let known = clients.known(clients.owner_of(addr)?)?;
        Some(known.mac.map_or(ClientId::Addr(addr), ClientId::Mac))
    };
    match known(orig) {
        Some(client) => Some((client, resp, Began::Client)),
        None => known(resp).map(|client| (client, orig, Began::Server)),
    }
}

fn sent(half: &Half) -> Count {
    Count { frames: u64::from(half.packets), bytes: half.wire_bytes }
}
