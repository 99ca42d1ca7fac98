//! A learned second opinion on what a detector found.
//!
//! The detectors count one thing each and say what they counted. A person who doubts an alert looks at everything else
//! the accused did in those minutes, and so does this: [`row`] writes down some fifty numbers about one initiator from
//! the tables that the detectors keep, a forest votes which class of attack they look like ([`SecondOpinion`]), and
//! [`opinion`] says what may follow: at most one step of severity. Nothing is counted for it, nothing runs per packet,
//! and it never opens, closes or hides an alert. Without an artefact the detectors speak alone.

mod opinion;
mod row;
mod schema;

pub use opinion::{Class, Effect, Opinion};
pub use row::Subject;
pub use schema::{N_THREAT_FEATURES, THREAT_FEATURES, ThreatRow, threat_schema_hash, threat_schema_text};

pub(super) use row::Tables;

use super::alert::{Finding, Kind, Party};
use super::count::{SLICE, Slice};
use crate::classify::{Artifact, ArtifactError, Forest, unpacked};
use crate::net::Addr;
use crate::time::Moment;

/// Initiators judged per slice; whoever is accused beyond that is accused without a second opinion.
const MAX_JUDGED: usize = 32;

/// The artefact that ships inside the program.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/threat.forest.packed"));

/// A forest that votes for classes of attacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondOpinion {
    /// The trees.
    pub forest: Forest,
    /// What it was trained on, as JSON.
    pub summary_json: String,
    /// Names this artefact in reports.
    pub fingerprint: u64,
}

impl SecondOpinion {
    /// Checks and unpacks an artefact.
    ///
    /// # Errors
    /// Whatever makes it unusable; also if its classes are not ours.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let artifact = Artifact::from_bytes(bytes, threat_schema_hash())?;
        let Artifact { forest, summary_json, fingerprint, .. } = artifact;
        if forest.n_classes() != Class::ALL.len() {
            return Err(ArtifactError::Field("n_classes"));
        }
        Ok(Self { forest, summary_json, fingerprint })
    }

    /// The one that ships inside the program; none if it is unusable, which a test rules out.
    pub fn embedded() -> Option<Self> {
        Self::from_bytes(&unpacked(EMBEDDED)).ok()
    }

    /// The class that most trees vote for, the first of those with equal votes; and how many do, in percent.
    pub fn vote(&self, row: &ThreatRow) -> (Class, u8) {
        let votes = self.forest.votes(row);
        let mut most = (Class::Normal, 0);
        for (class, votes) in Class::ALL.into_iter().zip(votes) {
            if votes > most.1 {
                most = (class, votes);
            }
        }
        let trees = self.forest.n_trees().max(1);
        (most.0, (usize::from(most.1) * 100 / trees) as u8)
    }
}

/// What was said in one slice, so that who is accused of sixty things is judged once.
#[derive(Debug, Default)]
pub(super) struct Judged(Vec<(Subject, (Class, u8))>);

impl Judged {
    /// The opinion on a finding, if there can be one.
    pub(super) fn opinion(
        &mut self,
        second: &SecondOpinion,
        tables: &mut Tables<'_>,
        finding: &Finding,
    ) -> Option<Opinion> {
        Class::of(finding.kind)?;
        let subject = subject_of(finding)?;
        let known = self.0.iter().find(|(known, _)| *known == subject).map(|(_, vote)| *vote);
        let (class, share_pct) = match known {
            Some(vote) => vote,
            None if self.0.len() < MAX_JUDGED => {
                let vote = second.vote(&tables.row(&subject));
                self.0.push((subject, vote));
                vote
            }
            None => return None,
        };
        Some(Opinion::on(finding, class, share_pct))
    }
}

/// Whose row tells of a finding: the accused, or whoever is behind what the victim gets.
fn subject_of(finding: &Finding) -> Option<Subject> {
    match (finding.source, finding.target) {
        (Party::Addr(Addr::UNSPECIFIED), Some(Party::Addr(victim))) => {
            Some(Subject { source: Addr::UNSPECIFIED, victim: Some(victim) })
        }
        (Party::Addr(Addr::UNSPECIFIED) | Party::Mac(_), _) => None,
        (Party::Addr(source), _) => Some(Subject { source, victim: None }),
    }
}

/// What one initiator did until the end of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreatSample {
    /// Beginning of the slice.
    pub start: Moment,
    /// Whose.
    pub subject: Subject,
    /// What a detector found of it in this slice, if one did.
    pub found: Option<Kind>,
    /// The numbers.
    pub row: ThreatRow,
}

/// The rows of all who moved in the slice that ends.
pub(super) fn samples(tables: &mut Tables<'_>, slice: Slice, found: &[Finding]) -> Vec<ThreatSample> {
    let start = Moment::from_secs(u64::from(slice) * SLICE.as_secs());
    let moved = tables.moved();
    let sample = |subject: Subject| {
        let accused = found.iter().find(|finding| subject_of(finding) == Some(subject));
        ThreatSample { start, subject, found: accused.map(|finding| finding.kind), row: tables.row(&subject) }
    };
    moved.into_iter().map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_artefact_is_valid_and_within_its_budget() {
        let artefact = include_bytes!("../../model/threat.forest");
        assert!(unpacked(EMBEDDED) == artefact);
        let second = SecondOpinion::from_bytes(artefact).unwrap();
        assert_eq!(second.forest.n_features(), N_THREAT_FEATURES);
        assert!(artefact.len() <= 40 * 1024, "{} bytes", artefact.len());
    }
}
