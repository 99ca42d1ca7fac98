//! Attacks, explained: one file per detector.
