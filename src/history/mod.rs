//! Rows to keep and how they roll up; the SQL itself lives in `os`.
