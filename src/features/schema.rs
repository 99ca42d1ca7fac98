//! Names, units and order of the features: what an artefact is trained on and checked against.

/// One number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Column name, also in CSV.
    pub name: &'static str,
    /// Unit; `pm` is per mille.
    pub unit: &'static str,
}

/// A feature of this name and unit.
pub(crate) const fn feature(name: &'static str, unit: &'static str) -> Feature {
    Feature { name, unit }
}

/// Number of features.
pub const N_FEATURES: usize = 48;

/// A window as the classifier sees it.
pub type Row = [i32; N_FEATURES];

/// Every feature, in the order of a [`Row`]: first the window itself, then its context.
pub const FEATURES: [Feature; N_FEATURES] = [
    feature("down_bytes", "B"),
    feature("up_bytes", "B"),
    feature("down_packets", "packets"),
    feature("up_packets", "packets"),
    feature("up_share", "pm"),
    feature("down_size_mean", "B"),
    feature("down_size_sd", "B"),
    feature("up_size_mean", "B"),
    feature("up_size_sd", "B"),
    feature("full_share", "pm"),
    feature("small_share", "pm"),
    feature("mid_share", "pm"),
    feature("udp_share", "pm"),
    feature("top_server_share", "pm"),
    feature("servers", "servers"),
    feature("big_servers", "servers"),
    feature("active_seconds", "s"),
    feature("max_second", "B"),
    feature("active_run", "s"),
    feature("idle_run", "s"),
    feature("iat_cv", "pm"),
    feature("max_gap", "ms"),
    feature("up_down_packets", "pm"),
    feature("requests", "packets"),
    feature("down_30", "B"),
    feature("down_60", "B"),
    feature("down_120", "B"),
    feature("active_windows_60", "windows"),
    feature("active_windows_120", "windows"),
    feature("max_window_60", "B"),
    feature("window_cv_60", "pm"),
    feature("up_60", "B"),
    feature("top_server_share_60", "pm"),
    feature("top_server_share_120", "pm"),
    feature("big_servers_60", "servers"),
    feature("ewma_fast", "B"),
    feature("ewma_slow", "B"),
    feature("since_burst", "s"),
    feature("last_burst", "B"),
    feature("bursts_60", "bursts"),
    feature("bursts_120", "bursts"),
    feature("burst_mean", "B"),
    feature("burst_period_cv", "pm"),
    feature("burst_period", "ds"),
    feature("full_share_60", "pm"),
    feature("udp_share_60", "pm"),
    feature("up_share_60", "pm"),
    feature("active_seconds_120", "s"),
];

/// Positions that the session layer reads; a test holds them against the names.
pub const DOWN_BYTES: usize = 0;
/// Position of `down_packets`.
pub const DOWN_PACKETS: usize = 2;
/// Position of `bursts_120`.
pub const BURSTS_120: usize = 40;
/// Position of `burst_period_cv`.
pub const BURST_PERIOD_CV: usize = 42;
/// Position of `burst_period`.
pub const BURST_PERIOD: usize = 43;

/// The position of a feature by name.
pub fn index_of(name: &str) -> Option<usize> {
    FEATURES.iter().position(|feature| feature.name == name)
}

/// A schema as text: one `name unit` line per feature. What is hashed.
pub(crate) fn text_of(features: &[Feature]) -> String {
    features.iter().map(|feature| format!("{} {}\n", feature.name, feature.unit)).collect()
}

/// FNV-1a (64 bit) of [`text_of`].
pub(crate) fn hash_of(features: &[Feature]) -> u64 {
    crate::classify::fnv1a(text_of(features).as_bytes())
}

/// The schema of windows as text.
pub fn schema_text() -> String {
    text_of(&FEATURES)
}

/// The hash of the schema of windows.
pub fn schema_hash() -> u64 {
    hash_of(&FEATURES)
}
