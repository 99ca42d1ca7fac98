//! The configuration that the package ships, held against the code: each
//! default exists once, in `Config::default`, and the file may not drift away.

use streamguard::config::Config;

const SHIPPED: &str = include_str!("../files/etc/config/streamguard");

/// Sections and options that the file shows commented out (`#option`, where prose
/// has a space: `# An option`), switched on. The introduction stays a comment.
fn with_examples() -> String {
    let live = |line: &'static str| {
        let bare = line.trim_start().strip_prefix('#')?;
        let statement = bare.trim_start_matches('\t');
        ["config ", "option ", "list "].iter().any(|word| statement.starts_with(word)).then_some(statement)
    };
    let (introduction, rest) = SHIPPED.split_at(SHIPPED.find("\nconfig ").expect("a live section"));
    let lines: Vec<_> = rest.lines().map(|line| live(line).unwrap_or(line)).collect();
    introduction.to_owned() + &lines.join("\n")
}

#[test]
fn shipped_configuration_is_the_default_and_without_findings() {
    let (config, findings) = Config::load(SHIPPED, None);
    assert_eq!(findings, []);
    assert_eq!(config, Config::default());
}

#[test]
fn examples_in_the_shipped_configuration_are_valid() {
    let (config, findings) = Config::load(&with_examples(), None);
    assert_eq!(findings, []);
    assert_ne!(config, Config::default(), "no example was switched on");
}
