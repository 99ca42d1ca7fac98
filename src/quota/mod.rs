//! Usage judged against the allowance: the ledger, schedules, grants and the standing of each client.
