//! What one client did in a fixed slice of time: one-second bins, ten-second windows, a ring of context.
