//! Scores to sessions, sessions to watch time.
