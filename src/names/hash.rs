//! What the tables made at compile time share: one hash, one sort.

/// FNV-1a, 32 bits: the start value.
pub(super) const BASIS: u32 = 0x811c_9dc5;

/// Takes in one byte.
pub(super) const fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
}

/// Takes in several bytes.
#[cfg_attr(router, optimize(speed))]
pub(super) const fn fold(bytes: &[u8], mut hash: u32) -> u32 {
    let mut at = 0;
    while at < bytes.len() {
        hash = step(hash, bytes[at]);
        at += 1;
    }
    hash
}

/// Heapsort: `sort` is not const, and anything quadratic in 5,900 rules would be felt at every build.
pub(super) const fn heapsort<const N: usize>(table: &mut [u64; N]) {
    let mut root = N / 2;
    while root > 0 {
        root -= 1;
        sift_down(table, root, N);
    }
    let mut end = N;
    while end > 1 {
        end -= 1;
        table.swap(0, end);
        sift_down(table, 0, end);
    }
}

const fn sift_down<const N: usize>(table: &mut [u64; N], mut root: usize, end: usize) {
    while 2 * root + 1 < end {
        let mut child = 2 * root + 1;
        if child + 1 < end && table[child] < table[child + 1] {
            child += 1;
        }
        if table[root] >= table[child] {
            return;
        }
        table.swap(root, child);
        root = child;
    }
}
