//! Everything the world gives: capture, files, clocks, sockets, netlink, databases. Only here.
