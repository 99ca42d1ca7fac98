//! The configuration file in the package against the defaults in the code: each default exists once.
#![expect(clippy::disallowed_methods, reason = "the shipped file is the fixture")]

use streamguard::config::Config;
use streamguard::config::uci::RawConfig;

fn shipped() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/files/etc/config/streamguard");
    std::fs::read_to_string(path).expect("the shipped configuration")
}

#[test]
fn the_shipped_file_is_the_defaults_and_has_no_findings() {
    let (config, findings) = Config::load(&shipped(), None);
    assert_eq!(findings, []);
    assert_eq!(config, Config::default());
}

#[test]
fn every_damaged_line_of_the_shipped_file_leaves_the_rest_in_force() {
    let text = shipped();
    let (whole, _) = Config::load(&text, None);
    let lines: Vec<&str> = text.lines().collect();
    for damaged in 0..lines.len() {
        let with_damage: Vec<&str> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| if n == damaged { "\toption % 'x y" } else { *line })
            .collect();
        let _ = Config::load(&with_damage.join("\n"), Some(&whole));
        let mut without = lines.clone();
        without.remove(damaged);
        let raw = RawConfig::parse(&without.join("\n"));
        assert!(raw.errors.is_empty() || lines[damaged].contains("config"), "line {}", damaged + 1);
    }
}

/// Values in quotes, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}

#[test]
fn every_choice_that_the_forms_offer_is_one_the_daemon_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/files/www/settings-schema.js");
    let forms = std::fs::read_to_string(path).expect("the forms");
    let (mut section, mut offered) = ("", 0);
    for line in forms.lines().map(str::trim) {
        if let Some(kind) = line.strip_prefix("type: ") {
            section = quoted(kind)[0];
        }
        let Some((name, rest)) = line.strip_prefix("['").and_then(|line| line.split_once("', [")) else {
            continue;
        };
        for value in quoted(rest.split(']').next().unwrap_or_default()) {
            // What is named need not be somebody here; a device needs an address.
            let text =
                format!("config {section} 'x'\n\toption {name} '{value}'\n\tlist mac '02:00:00:00:00:01'\n");
            let (_, findings) = Config::load(&text, None);
            let about: Vec<_> = findings.iter().filter(|f| f.option.as_deref() == Some(name)).collect();
            assert!(about.is_empty(), "{section}: {about:?}");
            offered += 1;
        }
    }
    assert!(offered > 15, "{offered} choices: are the forms read?");
}
