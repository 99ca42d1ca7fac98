//! Numbers in Prometheus' text format (version 0.0.4), named by its conventions: base units, `_total` for what
//! only grows, one help line per family, every name begins with `streamguard_`.

use std::fmt::Write as _;

/// What kind of number a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows, until the process starts anew.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A page of metrics.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    text: String,
    name: &'static str,
}

impl Metrics {
    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "# HELP streamguard_{name} {help}\n# TYPE streamguard_{name} {kind}");
        self.name = name;
        self
    }

    /// A sample of the family begun last.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: u64) -> &mut Self {
        let _ = write!(self.text, "streamguard_{}", self.name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", Escaped(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
        self
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// A label's value: names come from the LAN.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c if c.is_control() => f.write_str(" "),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_label() {
        let mut metrics = Metrics::default();
        metrics
            .family("client_up_bytes_total", Kind::Counter, "Bytes sent.")
            .sample(&[("client", "02:00:00:00:00:01"), ("name", "a\"} 1\nevil 2\\")], 7)
            .family("flows", Kind::Gauge, "Flows in the table.")
            .sample(&[], 3);
        let expected = "\
# HELP streamguard_client_up_bytes_total Bytes sent.
# TYPE streamguard_client_up_bytes_total counter
streamguard_client_up_bytes_total{client=\"02:00:00:00:00:01\",name=\"a\\\"} 1\\nevil 2\\\\\"} 7
# HELP streamguard_flows Flows in the table.
# TYPE streamguard_flows gauge
streamguard_flows 3
";
        assert_eq!(metrics.into_text(), expected);
    }
}
