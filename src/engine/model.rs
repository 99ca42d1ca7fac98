//! The model in force: an artefact whose session constants were read, too.

use std::fmt;

use crate::classify::{Artifact, ArtifactError, Forest, unpacked};
use crate::features::schema_hash;
use crate::watch::{Params, ParamsError};

/// A forest with the constants of its session layer.
#[derive(Clone, Debug)]
pub struct Model {
    /// The classifier.
    pub forest: Forest,
    /// The session layer's constants.
    pub session: Params,
    /// What it was trained on, as JSON.
    pub summary_json: String,
    /// Names this model in reports.
    pub fingerprint: u64,
}

/// Why a model is refused.
#[derive(Debug)]
pub enum ModelError {
    /// The file itself.
    Artifact(ArtifactError),
    /// The constants in it.
    Session(ParamsError),
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact(cause) => cause.fmt(f),
            Self::Session(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for ModelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Artifact(cause) => cause.source(),
            Self::Session(cause) => cause.source(),
        }
    }
}

/// The artefact that ships inside the program.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/streaming.forest.packed"));

impl Model {
    /// Checks and unpacks an artefact.
    ///
    /// # Errors
    /// Whatever makes it unusable.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let artifact = Artifact::from_bytes(bytes, schema_hash()).map_err(ModelError::Artifact)?;
        if artifact.forest.n_classes() > 0 {
            return Err(ModelError::Artifact(ArtifactError::Field("n_classes")));
        }
        let session = Params::from_json(&artifact.session_json).map_err(ModelError::Session)?;
        let Artifact { forest, summary_json, fingerprint, .. } = artifact;
        Ok(Self { forest, session, summary_json, fingerprint })
    }

    /// The model that ships inside the program.
    ///
    /// # Panics
    /// Never in a program that passed its tests: the embedded artefact is checked by one.
    pub fn embedded() -> Self {
        Self::from_bytes(&unpacked(EMBEDDED)).expect("the embedded artefact is checked by a test")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_model_is_valid_and_within_its_budget() {
        let artefact = include_bytes!("../../model/streaming.forest");
        assert!(unpacked(EMBEDDED) == artefact);
        let model = Model::from_bytes(artefact).unwrap();
        assert_eq!(model.forest.n_features(), crate::features::N_FEATURES);
        assert!(artefact.len() <= 112 * 1024, "{} bytes", artefact.len());
    }
}
