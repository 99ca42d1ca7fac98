//! Pure writers of text, JSON and CSV.
