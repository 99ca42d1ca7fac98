//! The reports, written: text, one JSON document, or CSV sections.

use std::io::{self, Write};

use super::selection::{Report, Selection};
use crate::account::{Account, Conversations, Intervals, Services};
use crate::report::clients::write_text;
use crate::report::json::JsonObject;
use crate::report::row::{Row, Rows};
use crate::report::tables::{
    ConversationRow, HostList, HostRow, IntervalRow, Kind, PairList, PairRow, ProtocolRow, Rests, ServiceRow,
    interval_rows, service_rows,
};
use crate::report::{AlertLog, CaptureReport, ClientReport, alerts, text};
use crate::time::Moment;

/// All there is to report.
pub(super) struct Results<'a> {
    pub(super) selection: &'a Selection,
    pub(super) capture: CaptureReport,
    pub(super) clients: Vec<ClientReport>,
    pub(super) account: Option<&'a Account>,
    pub(super) services: Option<Services>,
    pub(super) log: &'a AlertLog,
    /// The first frame of the capture.
    pub(super) first: Moment,
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    Csv,
}

impl Results<'_> {
    /// Writes all but the flows, which were written when they ended.
    pub(super) fn write(&self, form: Form, json: JsonObject, out: &mut impl Write) -> io::Result<()> {
        match form {
            Form::Text => self.text(out),
            Form::Json => self.json(json, out),
            Form::Csv => self.csv(out),
        }
    }

    fn account(&self, report: Report) -> Option<&Account> {
        self.account.filter(|_| self.selection.has(report))
    }

    fn conversations(&self, report: Report) -> Option<&Conversations> {
        self.account(report).and_then(Account::conversations)
    }

    fn intervals(&self) -> Option<&Intervals> {
        self.account(Report::Intervals).and_then(Account::intervals)
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        if self.selection.clients() {
            write_text(out, &self.capture, &self.clients)?;
        }
        if let Some(account) = self.account(Report::Protocols) {
            text::protocols(out, account)?;
        }
        if let Some(intervals) = self.intervals() {
            text::intervals(out, intervals)?;
        }
        if let Some(all) = self.conversations(Report::Conversations) {
            for kind in Kind::ALL {
                text::conversations(out, all, kind, self.first)?;
            }
        }
        if let Some(all) = self.conversations(Report::Pairs) {
            text::pairs(out, all)?;
        }
        if let Some(all) = self.conversations(Report::Hosts) {
            text::hosts(out, all)?;
        }
        if let Some(services) = &self.services {
            text::services(out, services)?;
        }
        if self.selection.has(Report::Alerts) {
            alerts::write_alerts(out, &self.log.alerts(self.first))?;
        }
        if self.selection.has(Report::Events) {
            alerts::write_events(out, &self.log.events(self.first))?;
        }
        Ok(())
    }

    fn json(&self, mut document: JsonObject, out: &mut impl Write) -> io::Result<()> {
        document.member(out, "capture", &self.capture)?;
        if self.selection.clients() {
            document.member(out, "clients", &self.clients)?;
        }
        if let Some(account) = self.account(Report::Protocols) {
            let nodes = account.hierarchy().nodes();
            document.rows(out, "protocols", nodes.into_iter().map(ProtocolRow::from))?;
        }
        if let Some(intervals) = self.intervals() {
            document.rows(out, "intervals", interval_rows(intervals))?;
        }
        if let Some(all) = self.conversations(Report::Conversations) {
            document.open_list(out, "conversations")?;
            let (mut rows, mut first) = (Rows::default(), true);
            for kind in Kind::ALL {
                kind.each(all, &mut |conversation| {
                    let row = ConversationRow::new(kind, &conversation, self.first);
                    rows.json(out, std::mem::replace(&mut first, false), &row)
                })?;
            }
            JsonObject::close_list(out)?;
        }
        if let Some(all) = self.conversations(Report::Pairs) {
            document.rows(out, "pairs", PairList::of(all).rows())?;
        }
        if let Some(all) = self.conversations(Report::Hosts) {
            document.rows(out, "hosts", HostList::of(all).rows())?;
        }
        if let Some(services) = &self.services {
            document.rows(out, "services", service_rows(services).into_iter())?;
        }
        if self.selection.has(Report::Events) {
            document.list(out, "events", self.log.events(self.first).into_iter())?;
        }
        if self.selection.has(Report::Alerts) {
            document.list(out, "alerts", self.log.alerts(self.first).into_iter())?;
        }
        if let Some(rests) = self.account.and_then(Rests::of) {
            document.member(out, "not_listed", &rests)?;
        }
        document.end(out)
    }

    fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut first = !self.selection.has(Report::Flows);
        let mut rows = Rows::default();
        if let Some(account) = self.account(Report::Protocols) {
            text::csv_section(out, &mut first, ProtocolRow::COLUMNS)?;
            let nodes = account.hierarchy().nodes().into_iter();
            nodes.map(ProtocolRow::from).try_for_each(|row| rows.csv(out, &row))?;
        }
        if let Some(intervals) = self.intervals() {
            text::csv_section(out, &mut first, IntervalRow::COLUMNS)?;
            interval_rows(intervals).try_for_each(|row| rows.csv(out, &row))?;
        }
        if let Some(all) = self.conversations(Report::Conversations) {
            text::csv_section(out, &mut first, ConversationRow::COLUMNS)?;
            for kind in Kind::ALL {
                kind.each(all, &mut |conversation| {
                    rows.csv(out, &ConversationRow::new(kind, &conversation, self.first))
                })?;
            }
        }
        if let Some(all) = self.conversations(Report::Pairs) {
            text::csv_section(out, &mut first, PairRow::COLUMNS)?;
            PairList::of(all).rows().try_for_each(|row| rows.csv(out, &row))?;
        }
        if let Some(all) = self.conversations(Report::Hosts) {
            text::csv_section(out, &mut first, HostRow::COLUMNS)?;
            HostList::of(all).rows().try_for_each(|row| rows.csv(out, &row))?;
        }
        if let Some(services) = &self.services {
            text::csv_section(out, &mut first, ServiceRow::COLUMNS)?;
            service_rows(services).iter().try_for_each(|row| rows.csv(out, row))?;
        }
        if self.selection.clients() {
            text::clients_csv(out, &mut first, &self.clients)?;
        }
        if self.selection.has(Report::Events) {
            text::csv_section(out, &mut first, &alerts::EventReport::COLUMNS)?;
            self.log.events(self.first).iter().try_for_each(|event| event.csv(out))?;
        }
        if self.selection.has(Report::Alerts) {
            text::csv_section(out, &mut first, &alerts::AlertReport::COLUMNS)?;
            self.log.alerts(self.first).iter().try_for_each(|alert| alert.csv(out))?;
        }
        Ok(())
    }
}
