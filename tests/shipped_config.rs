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
