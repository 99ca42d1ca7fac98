//! The reports, written: text, one JSON document, or CSV sections.

use std::io::{self, Write};

use super::selection::{Report, Selection};
use crate::account::{Account, Intervals, Services};
use crate::report::clients::write_text;
use crate::report::json::JsonObject;
use crate::report::row::{Row, Rows};
use crate::report::tables::{
    ConversationRow, HostRow, IntervalRow, Kind, PairRow, ProtocolRow, Rests, ServiceRow, Talks, host_rows,
    interval_rows, pair_rows, service_rows,
};
use crate::report::{AlertLog, CaptureReport, ClientReport, alerts, text};
use crate::time::Moment;

/// All there is to report.
pub(super) struct Results<'a> {
    pub(super) selection: &'a Selection,
    pub(super) capture: CaptureReport,
    pub(super) clients: Vec<ClientReport>,
    pub(super) account: Option<Account>,
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
    pub(super) fn write(self, form: Form, json: JsonObject, out: &mut impl Write) -> io::Result<()> {
        match form {
            Form::Text => self.text(out),
            Form::Json => self.json(json, out),
            Form::Csv => self.csv(out),
        }
    }

    fn account(&self, report: Report) -> Option<&Account> {
        self.account.as_ref().filter(|_| self.selection.has(report))
    }

    /// What conversations, pairs and hosts are listed from; the books are closed.
    fn talks(&mut self) -> Option<Talks> {
        self.account.take().and_then(Account::into_conversations).map(Talks::of)
    }

    fn intervals(&self) -> Option<&Intervals> {
        self.account(Report::Intervals).and_then(Account::intervals)
    }

    fn text(mut self, out: &mut impl Write) -> io::Result<()> {
        if self.selection.clients() {
            write_text(out, &self.capture, &self.clients)?;
        }
        if let Some(account) = self.account(Report::Protocols) {
            text::protocols(out, account)?;
        }
        if let Some(intervals) = self.intervals() {
            text::intervals(out, intervals)?;
        }
        if let Some(talks) = self.talks() {
            self.text_talks(talks, out)?;
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

    fn text_talks(&self, talks: Talks, out: &mut impl Write) -> io::Result<()> {
        if self.selection.has(Report::Conversations) {
            for kind in Kind::ALL {
                text::conversations(out, &talks, kind, self.first)?;
            }
        }
        let pairs = talks.into_pairs();
        if self.selection.has(Report::Pairs) {
            text::pairs(out, &pairs)?;
        }
        if self.selection.has(Report::Hosts) {
            text::hosts(out, &pairs)?;
        }
        Ok(())
    }

    fn json(mut self, mut document: JsonObject, out: &mut impl Write) -> io::Result<()> {
        let rests = self.account.as_ref().and_then(Rests::of);
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
        if let Some(talks) = self.talks() {
            self.json_talks(talks, &mut document, out)?;
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
        if let Some(rests) = rests {
            document.member(out, "not_listed", &rests)?;
        }
        document.end(out)
    }

    fn json_talks(&self, talks: Talks, document: &mut JsonObject, out: &mut impl Write) -> io::Result<()> {
        if self.selection.has(Report::Conversations) {
            document.open_list(out, "conversations")?;
            let (mut rows, mut first) = (Rows::default(), true);
            for kind in Kind::ALL {
                for conversation in kind.each(&talks) {
                    let row = ConversationRow::new(kind, &conversation, self.first);
                    rows.json(out, std::mem::replace(&mut first, false), &row)?;
                }
            }
            JsonObject::close_list(out)?;
        }
        let pairs = talks.into_pairs();
        if self.selection.has(Report::Pairs) {
            document.rows(out, "pairs", pair_rows(&pairs))?;
        }
        if self.selection.has(Report::Hosts) {
            document.rows(out, "hosts", host_rows(&pairs))?;
        }
        Ok(())
    }

    fn csv(mut self, out: &mut impl Write) -> io::Result<()> {
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
        if let Some(talks) = self.talks() {
            self.csv_talks(talks, &mut first, out)?;
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

    fn csv_talks(&self, talks: Talks, first: &mut bool, out: &mut impl Write) -> io::Result<()> {
        let mut rows = Rows::default();
        if self.selection.has(Report::Conversations) {
            text::csv_section(out, first, ConversationRow::COLUMNS)?;
            for kind in Kind::ALL {
                for conversation in kind.each(&talks) {
                    rows.csv(out, &ConversationRow::new(kind, &conversation, self.first))?;
                }
            }
        }
        let pairs = talks.into_pairs();
        if self.selection.has(Report::Pairs) {
            text::csv_section(out, first, PairRow::COLUMNS)?;
            pair_rows(&pairs).try_for_each(|row| rows.csv(out, &row))?;
        }
        if self.selection.has(Report::Hosts) {
            text::csv_section(out, first, HostRow::COLUMNS)?;
            host_rows(&pairs).try_for_each(|row| rows.csv(out, &row))?;
        }
        Ok(())
    }
}
