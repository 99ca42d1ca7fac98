//! Packets of one 5-tuple gathered into flows, and what is learnt on the way: handshake round trips, retransmissions, names of addresses.
