//! The firewall we want, as a value.
