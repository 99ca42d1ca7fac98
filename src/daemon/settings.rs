//! The configuration and the model in force: read at start and again at HUP, kept where what is new is unusable.

use std::path::Path;
use std::sync::Arc;

use super::enforce::chain;
use super::{Daemon, DaemonError, Ears};
use crate::config::{Capture, Config, Effect, Finding};
use crate::engine::Model;
use crate::os::facts;
use crate::os::files::read_bounded;
use crate::time::Now;

impl Daemon {
    /// Reads the configuration again; usage, sessions and capture go on.
    pub(super) fn read_config(&mut self, now: Now) {
        let (config, findings) = load_config(self.options.config.as_deref(), Some(self.house.config()));
        for finding in &findings {
            log::warn!("config: {finding}");
        }
        self.findings = findings;
        let heard_by = |capture: &Capture| (capture.snaplen, capture.ring);
        let capture_changed = heard_by(&config.capture) != heard_by(&self.house.config().capture);
        let interfaces_changed = self.options.interfaces.is_empty()
            && config.main.interfaces != self.house.config().main.interfaces;
        if capture_changed || interfaces_changed {
            let interfaces = if self.options.interfaces.is_empty() {
                &config.main.interfaces
            } else {
                &self.options.interfaces
            };
            self.ears = Ears::new(interfaces, &config.capture);
        }
        crate::os::log::set_level(config.main.log_level);
        if config.main.model != self.house.config().main.model {
            (self.model, self.model_trouble) = load_model(config.main.model.as_deref());
        }
        self.house.set_judgement(config.main.sensitivity, Arc::clone(&self.model));
        let ipfix_changed = config.ipfix != self.house.config().ipfix;
        self.house.set_zone(facts::zone());
        if config.main.state_dir != self.house.config().main.state_dir {
            self.keeper.leave();
            self.keep(now);
            self.keeper.move_to(&config.main);
            self.house.number_alerts_from(self.keeper.last_alert());
        }
        self.house.set_config(config);
        self.keeper.set_limits(&self.house.config().main, self.house.calendar());
        if ipfix_changed {
            self.set_exporter();
        }
        self.set_mode();
        self.look_around();
        self.house.tick(now);
        self.tell_shortfalls();
        log::info!("configuration read again, {} findings", self.findings.len());
    }
}

/// The configured model, or the embedded one and why the other is refused.
pub(super) fn load_model(path: Option<&str>) -> (Arc<Model>, Option<String>) {
    let Some(path) = path else { return (Arc::new(Model::embedded()), None) };
    let read = read_bounded(Path::new(path), crate::classify::MAX_ARTIFACT_BYTES + 1);
    let model = read
        .map_err(|error| error.to_string())
        .and_then(|bytes| Model::from_bytes(&bytes).map_err(|error| chain(&error)));
    match model {
        Ok(model) => (Arc::new(model), None),
        Err(reason) => {
            let reason = format!("{path}: {reason}");
            log::error!("the embedded model stays in force: {reason}");
            (Arc::new(Model::embedded()), Some(reason))
        }
    }
}

/// The configuration at the start.
///
/// # Errors
/// If it says that the service is not to run.
pub(super) fn first_config(path: Option<&Path>) -> Result<(Config, Vec<Finding>), DaemonError> {
    let (config, findings) = load_config(path, None);
    crate::os::log::set_level(config.main.log_level);
    if config.main.enabled { Ok((config, findings)) } else { Err(DaemonError::Disabled) }
}

/// The configuration of a file, or the defaults. A file that cannot be read keeps what is in force.
pub(super) fn load_config(path: Option<&Path>, in_force: Option<&Config>) -> (Config, Vec<Finding>) {
    let Some(path) = path else { return (in_force.cloned().unwrap_or_default(), Vec::new()) };
    match facts::read_text(path) {
        Ok(text) => Config::load(&text, in_force),
        Err(error) => {
            let effect = if in_force.is_some() { Effect::LastGood } else { Effect::Default };
            let finding = Finding::unreadable(&path.display().to_string(), &error, effect);
            (in_force.cloned().unwrap_or_default(), vec![finding])
        }
    }
}
