//! Bytes by service: sums over finished flows, by the name that the client knew the server under.

use std::collections::HashMap;

use super::{Count, Rest};

/// Services listed; what further ones move is [`Rest`].
pub const MAX_SERVICES: usize = 4_096;

/// What one service moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceCount {
    /// Flows.
    pub flows: u64,
    /// From clients to it.
    pub up: Count,
    /// From it to clients.
    pub down: Count,
}

/// Services by label. Flows end far less often than packets come, so a plain map will do.
#[derive(Debug, Default)]
pub struct Services {
    by_label: HashMap<String, ServiceCount>,
    unnamed: ServiceCount,
    rest: Rest,
}

impl Services {
    /// Counts a finished flow. `label` is empty where nobody said a name.
    pub fn count(&mut self, label: &str, up: Count, down: Count) {
        let service = if label.is_empty() {
            &mut self.unnamed
        } else if let Some(known) = self.by_label.get_mut(label) {
            known
        } else if self.by_label.len() < MAX_SERVICES {
            self.by_label.entry(label.to_owned()).or_default()
        } else {
            self.rest += up;
            self.rest += down;
            return;
        };
        service.flows += 1;
        service.up += up;
        service.down += down;
    }

    /// Named services, most bytes first, then by name.
    pub fn list(&self) -> Vec<(&str, &ServiceCount)> {
        let mut list: Vec<_> = self.by_label.iter().map(|(label, count)| (label.as_str(), count)).collect();
        list.sort_by_key(|(label, count)| (std::cmp::Reverse(count.up.bytes + count.down.bytes), *label));
        list
    }

    /// What belongs to no name.
    pub fn unnamed(&self) -> &ServiceCount {
        &self.unnamed
    }

    /// What belongs to services that are not listed.
    pub fn rest(&self) -> Rest {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_beyond_the_capacity_are_summed_up() {
        let one = Count { frames: 1, bytes: 100 };
        let mut services = Services::default();
        for index in 0..MAX_SERVICES + 3 {
            services.count(&format!("s{index}"), one, one);
        }
        services.count("", one, Count::default());
        assert_eq!(services.list().len(), MAX_SERVICES);
        assert_eq!(services.rest(), Count { frames: 6, bytes: 600 });
        assert_eq!(services.unnamed().flows, 1);
    }
}
