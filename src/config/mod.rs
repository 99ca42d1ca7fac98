//! UCI text to settings, with every finding at once.
