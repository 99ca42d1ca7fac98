//! Which reports `analyze` is to make.

use super::Failure;

/// The reports that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Summary,
    Clients,
    Windows,
    Protocols,
    Intervals,
    Conversations,
    Pairs,
    Hosts,
    Alerts,
    Events,
    Services,
    Flows,
}

impl Report {
    const ALL: [Self; 12] = [
        Self::Summary,
        Self::Clients,
        Self::Windows,
        Self::Protocols,
        Self::Intervals,
        Self::Conversations,
        Self::Pairs,
        Self::Hosts,
        Self::Alerts,
        Self::Events,
        Self::Services,
        Self::Flows,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Clients => "clients",
            Self::Windows => "windows",
            Self::Protocols => "protocols",
            Self::Intervals => "intervals",
            Self::Conversations => "conversations",
            Self::Pairs => "pairs",
            Self::Hosts => "hosts",
            Self::Alerts => "alerts",
            Self::Events => "events",
            Self::Services => "services",
            Self::Flows => "flows",
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Selection(Vec<Report>);

impl Selection {
    /// From comma separated lists of names; the summary if there is none.
    pub(super) fn parse(asked: &[String]) -> Result<Self, Failure> {
        let mut list = Vec::new();
        let names = asked.iter().flat_map(|list| list.split(','));
        for name in names.map(str::trim).filter(|name| !name.is_empty()) {
            if name == "all" {
                list.extend(Report::ALL);
            } else if let Some(&report) = Report::ALL.iter().find(|report| report.name() == name) {
                list.push(report);
            } else {
                return Err(Failure::new(format!("--report: there is no report `{name}`")));
            }
        }
        if list.is_empty() {
            list.push(Report::Summary);
        }
        Ok(Self(list))
    }

    pub(super) fn has(&self, report: Report) -> bool {
        self.0.contains(&report)
    }

    /// Whether nothing else was asked for.
    pub(super) fn is_only(&self, report: Report) -> bool {
        self.0.iter().all(|&asked| asked == report)
    }

    pub(super) fn has_any(&self, reports: &[Report]) -> bool {
        reports.iter().any(|&report| self.has(report))
    }

    /// Whether clients are listed.
    pub(super) fn clients(&self) -> bool {
        self.has_any(&[Report::Summary, Report::Clients, Report::Windows])
    }

    /// Whether conversations must be kept.
    pub(super) fn conversations(&self) -> bool {
        self.has_any(&[Report::Conversations, Report::Pairs, Report::Hosts])
    }

    /// Whether anything beyond clients is to be counted.
    pub(super) fn accounts(&self) -> bool {
        self.conversations() || self.has_any(&[Report::Protocols, Report::Intervals])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[&str]) -> Result<Selection, Failure> {
        Selection::parse(&text.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn repeated_options_and_comma_lists_are_the_same() {
        let once = parse(&["pairs, hosts"]).unwrap();
        let twice = parse(&["pairs", "hosts"]).unwrap();
        assert_eq!(once.0, twice.0);
        assert_eq!(parse(&[]).unwrap().0, [Report::Summary]);
        assert_eq!(parse(&["all"]).unwrap().0, Report::ALL);
        assert!(parse(&["nonsense"]).is_err());
    }

    #[test]
    fn clients_alone_pay_for_no_accounting() {
        assert!(!parse(&["clients,windows"]).unwrap().accounts());
        assert!(parse(&["intervals"]).unwrap().accounts());
    }
}
