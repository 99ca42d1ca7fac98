//! Bytes and packets by client, peer, protocol, service and period.
