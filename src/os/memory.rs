//! Where memory comes from in the static binaries for routers.
//!
//! The C library they are linked with (zig's, for musl targets) hands out powers of two, keeps 16 bytes of each for
//! itself, so that 1,024 bytes take 2,048, and writes zeros to whatever is asked for zeroed, so that a table which is
//! never filled is resident all the same. dlmalloc, which Rust's standard library carries for targets without an
//! allocator, does neither: half a MiB less with a thousand clients. SQLite and libpcap keep
//! the C library's; they have little.

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;
