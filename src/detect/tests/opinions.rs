//! The second opinion: it moves a severity by a step and nothing else.

use super::edges::scenes;
use super::*;
use crate::classify::unanimous;

/// A forest that says the same of everybody.
fn always(class: Class) -> SecondOpinion {
    let bytes = unanimous(threat_schema_hash(), (N_THREAT_FEATURES, Class::ALL.len()), class as u8);
    SecondOpinion::from_bytes(&bytes).unwrap()
}

fn street(opinion: Option<Class>) -> Street {
    let mut street = Street::new(Settings::default());
    street.detection.consult(opinion.map(always));
    street
}

/// An alert without what an opinion may change.
fn found(alert: &Alert) -> Alert {
    Alert { opinion: None, severity: Severity::Low, ..*alert }
}

#[test]
fn an_opinion_opens_hides_renames_and_ends_nothing() {
    for scene in scenes() {
        for &amount in scene.silent.iter().chain(scene.loud) {
            let [alone, doubted, agreed] =
                [None, Some(Class::Normal), Class::of(scene.kind)].map(|opinion| {
                    let mut street = street(opinion);
                    (scene.play)(&mut street, amount);
                    street.told().iter().map(found).collect::<Vec<_>>()
                });
            assert_eq!(alone, doubted, "{:?} with {amount}", scene.kind);
            assert_eq!(alone, agreed, "{:?} with {amount}", scene.kind);
        }
    }
}

/// The severity of a scan of so many ports, and what is thought of it.
fn scanned(ports: u16, opinion: Option<Class>) -> (Severity, Option<Effect>) {
    let mut street = street(opinion);
    for port in 1..=ports {
        street.syn(u64::from(port) * 20, (ATTACKER, 40_000), (VICTIM, port));
    }
    let alerts = street.told();
    assert_eq!(alerts.len(), 1);
    (alerts[0].severity, alerts[0].opinion.map(|opinion| opinion.severity))
}

#[test]
fn doubt_makes_an_alert_one_step_less_severe_and_never_less_than_low() {
    assert_eq!(scanned(200, None), (Severity::High, None));
    assert_eq!(scanned(200, Some(Class::Normal)), (Severity::Medium, Some(Effect::Lowered)));
    assert_eq!(scanned(200, Some(Class::Botnet)), (Severity::High, Some(Effect::Kept)));
    assert_eq!(scanned(200, Some(Class::Scan)), (Severity::High, Some(Effect::Kept)));
    assert_eq!(scanned(40, Some(Class::Normal)), (Severity::Low, Some(Effect::Lowered)));
}

#[test]
fn agreement_makes_a_low_alert_a_medium_one_where_its_class_was_judged_with_tools_left_out() {
    let swept = |opinion| {
        let mut street = street(opinion);
        for host in 0..60 {
            street.icmp(u64::from(host) * 100, (ATTACKER, [198, 51, 100, host]), 8, 56);
        }
        let alerts = street.told();
        (alerts[0].kind, alerts[0].severity)
    };
    assert_eq!(swept(None), (Kind::HostSweep, Severity::Low));
    assert_eq!(swept(Some(Class::Scan)), (Kind::HostSweep, Severity::Medium));
    assert_eq!(swept(Some(Class::Normal)), (Kind::HostSweep, Severity::Low));
}

#[test]
fn the_shipped_forest_knows_a_scan_from_nothing() {
    let second = SecondOpinion::embedded().expect("the embedded artefact loads");
    assert_eq!(second.forest.n_features(), N_THREAT_FEATURES);
    assert_eq!(second.vote(&[0; N_THREAT_FEATURES]).0, Class::Normal, "who did nothing");
    let mut street = Street::new(Settings::default());
    street.detection.consult(Some(second));
    for port in 1..=200 {
        street.syn(u64::from(port) * 20, (ATTACKER, 40_000), (VICTIM, port));
    }
    let opinion = street.told()[0].opinion.expect("an opinion");
    assert_eq!(opinion.class, Class::Scan, "{opinion}");
}

#[test]
fn a_row_tells_of_its_initiator_alone_and_everybody_who_moved_has_one() {
    let mut street = Street::new(Settings::default());
    street.detection.keep_samples();
    let other = [192, 168, 1, 30];
    for port in 1..=40 {
        street.syn(u64::from(port) * 20, (ATTACKER, 40_000), (VICTIM, port));
    }
    for port in [41_000, 41_001, 41_002] {
        street.syn(100, (other, port), (VICTIM, 80));
    }
    street.syn(20_000, (other, 41_003), (VICTIM, 80));
    let column = |name| THREAT_FEATURES.iter().position(|feature| feature.name == name).unwrap();
    let samples: Vec<_> = std::iter::from_fn(|| street.detection.next_sample()).collect();
    let of = |addr| {
        let source = crate::net::Addr::from_v4(addr);
        samples.iter().find(|sample| sample.subject.source == source).expect("a row").row
    };
    assert!((35..=46).contains(&of(ATTACKER)[column("ports_30s")]), "{:?}", of(ATTACKER));
    assert_eq!(of(ATTACKER)[column("ports_failed_30s")], 100);
    assert_eq!(of(ATTACKER)[column("victim_syns_5s")], 43, "the victim's counts, whoever they come from");
    let accused = samples.iter().filter(|sample| sample.found.is_some()).map(|sample| sample.subject.source);
    assert_eq!(accused.collect::<Vec<_>>(), [crate::net::Addr::from_v4(ATTACKER)]);
    assert_eq!((of(other)[column("ports_30s")], of(other)[column("victim_syns_5s")]), (1, 0));
    assert_eq!(THREAT_FEATURES.len(), N_THREAT_FEATURES);
}
