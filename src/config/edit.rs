//! Changes to UCI text that leave everything else of it alone: comments, order, what we do not know.
//!
//! A change is made twice: to the sections that the text means, and to the lines that say it. The edited text must
//! mean exactly the changed sections; where it does not (a value over several lines, statements parted by `;`, a
//! section written in two places), the text is written anew from the sections, and its comments are lost.

use serde::Deserialize;

use super::uci::{MAX_VALUES, RawConfig, RawOption, RawSection};

/// One change; sections are counted in the order of [`RawConfig::sections`], new ones at the end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// An option gets other values; none removes it.
    Set {
        /// Which section.
        section: usize,
        /// The option's name.
        option: String,
        /// Its values.
        values: Vec<String>,
    },
    /// A section goes.
    Remove {
        /// Which.
        section: usize,
    },
    /// A section comes.
    Add {
        /// Its type.
        kind: String,
        /// Its name.
        name: Option<String>,
    },
}

/// Makes one change; `None` if it names a section that is not there, or is no UCI.
pub fn edit(text: &str, change: &Change) -> Option<String> {
    let before = RawConfig::parse(text);
    let wanted = apply(before.clone(), change)?;
    let lines: Vec<&str> = text.lines().collect();
    let edited = match change {
        Change::Set { section, option, values } => set(&before, &lines, *section, (option, values)),
        Change::Remove { section } => {
            let (from, to) = place(&before, lines.len(), *section)?;
            let kept = lines.iter().enumerate().filter(|(index, _)| !(from..to).contains(index));
            kept.fold(String::new(), |text, (_, line)| text + line + "\n")
        }
        Change::Add { kind, name } => {
            let name = name.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default();
            format!("{}\n\nconfig {kind}{name}\n", text.trim_end())
        }
    };
    let printed = if means(&edited, &wanted) { edited } else { wanted.to_string() };
    // What cannot be said in UCI (a name with a quote in it) is not said at all.
    means(&printed, &wanted).then_some(printed)
}

fn means(text: &str, wanted: &RawConfig) -> bool {
    let found = RawConfig::parse(text);
    let same = |(a, b): (&RawSection, &RawSection)| {
        let values = |section: &RawSection| -> Vec<(String, Vec<String>)> {
            section.options.iter().map(|option| (option.name.clone(), option.values.clone())).collect()
        };
        a.kind == b.kind && a.name == b.name && values(a) == values(b)
    };
    found.sections.len() == wanted.sections.len() && found.sections.iter().zip(&wanted.sections).all(same)
}

fn apply(mut config: RawConfig, change: &Change) -> Option<RawConfig> {
    match change {
        Change::Set { section, option, values } => {
            let section = config.sections.get_mut(*section)?;
            if values.len() > MAX_VALUES {
                return None;
            }
            let known = section.options.iter_mut().find(|known| known.name == *option);
            match (known, values.is_empty()) {
                (_, true) => section.options.retain(|known| known.name != *option),
                (Some(known), false) => known.values.clone_from(values),
                (None, false) => {
                    section.options.push(RawOption { name: option.clone(), values: values.clone(), line: 0 });
                }
            }
        }
        Change::Remove { section } => {
            config.sections.get(*section)?;
            config.sections.remove(*section);
        }
        Change::Add { kind, name } => {
            let (kind, name) = (kind.clone(), name.clone());
            config.sections.push(RawSection { kind, name, line: 0, options: Vec::new() });
        }
    }
    Some(config)
}

/// The lines of a section, its `config` line first, counted from 0.
fn place(config: &RawConfig, lines: usize, section: usize) -> Option<(usize, usize)> {
    let from = config.sections.get(section)?.line.checked_sub(1)? as usize;
    let next = config.sections.get(section + 1).and_then(|next| next.line.checked_sub(1));
    Some((from, next.map_or(lines, |line| line as usize).max(from)))
}

fn set(before: &RawConfig, lines: &[&str], section: usize, (option, values): (&str, &[String])) -> String {
    let Some((from, to)) = place(before, lines.len(), section) else { return String::new() };
    let is_it = |line: &str| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("option" | "list"))
            && words.next().is_some_and(|name| name.trim_matches(['\'', '"']) == option)
    };
    let keyword = if values.len() == 1 { "option" } else { "list" };
    let is_list = lines
        .get(from..to)
        .is_some_and(|own| own.iter().any(|line| is_it(line) && line.trim_start().starts_with("list")));
    let keyword = if is_list { "list" } else { keyword };
    let said: String = values
        .iter()
        .map(|value| format!("\t{keyword} {option} '{}'\n", value.replace('\'', "'\\''")))
        .collect();
    let known = (from..to).find(|&index| lines.get(index).is_some_and(|line| is_it(line)));
    // After the last line of the section that says something, so that the next one's comment stays with it.
    let says = |index: &usize| {
        lines.get(*index).is_some_and(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    let last = (from..to).rev().find(says).unwrap_or(from);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        if Some(index) == known {
            text.push_str(&said);
        }
        if !((from..to).contains(&index) && is_it(line)) {
            text.push_str(line);
            text.push('\n');
        }
        if known.is_none() && index == last {
            text.push_str(&said);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# the household\nconfig streamguard 'main'\n\toption quota '30' # minutes\n\tlist interface 'lan'\n\n# the children\nconfig profile 'kids'\n\toption quota '60'\n";

    fn set(section: usize, option: &str, values: &[&str]) -> Change {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Change::Set { section, option: option.into(), values }
    }

    #[test]
    fn a_change_leaves_comments_and_order_alone() {
        let text = edit(TEXT, &set(0, "quota", &["45"])).unwrap();
        assert_eq!(text, TEXT.replace("option quota '30' # minutes", "option quota '45'"));
        let text = edit(TEXT, &set(0, "warn", &["3"])).unwrap();
        assert_eq!(text, TEXT.replace("'lan'\n", "'lan'\n\toption warn '3'\n"));
        let text = edit(TEXT, &set(0, "interface", &["guest"])).unwrap();
        assert_eq!(text, TEXT.replace("'lan'", "'guest'"));
        let text = edit(TEXT, &set(1, "quota", &[])).unwrap();
        assert_eq!(text, TEXT.replace("\toption quota '60'\n", ""));
    }

    #[test]
    fn sections_come_and_go() {
        let text = edit(TEXT, &Change::Add { kind: "client".into(), name: Some("tv".into()) }).unwrap();
        let text = edit(&text, &set(2, "mac", &["02:00:00:00:00:01", "02:00:00:00:00:02"])).unwrap();
        let config = RawConfig::parse(&text);
        assert_eq!(config.sections[2].options[0].values.len(), 2);
        let text = edit(&text, &Change::Remove { section: 1 }).unwrap();
        assert_eq!(RawConfig::parse(&text).sections.len(), 2);
        assert!(text.contains("# the household") && !text.contains("'kids'"));
    }

    #[test]
    fn hostile_values_stay_values() {
        for value in ["it's", "'\n\toption enabled '0", "a\"b\\", "#x", "; config evil", "\\"] {
            let text = edit(TEXT, &set(1, "name", &[value])).unwrap();
            let config = RawConfig::parse(&text);
            assert_eq!(config.sections.len(), 2, "{value:?}");
            let name = config.sections[1].options.iter().find(|option| option.name == "name");
            assert_eq!(name.unwrap().values, [value], "{value:?}");
        }
        for name in ["", "a b", "x'\noption", "ä"] {
            assert_eq!(edit(TEXT, &set(0, name, &["1"])), None, "{name:?}");
            let add = Change::Add { kind: name.into(), name: None };
            assert_eq!(edit(TEXT, &add), None, "{name:?}");
        }
        assert_eq!(edit(TEXT, &set(9, "quota", &["1"])), None);
    }

    #[test]
    fn what_cannot_be_edited_in_place_is_written_anew() {
        let text = "config streamguard 'main'; option quota '30'; option warn '5'\n";
        let text = edit(text, &set(0, "quota", &[])).unwrap();
        assert_eq!(text, "config streamguard 'main'\n\toption warn '5'\n\n");
    }
}
