//! The only module that knows them all.
