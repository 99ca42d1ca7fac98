//! libnftnl's objects and a batch to put them in, made safe: the only `unsafe` of the firewall.
//!
//! libnftnl builds netlink messages from C objects that own their parts: an element belongs to its set once added,
//! an expression to its rule. Each wrapper here owns one such tree and frees it when dropped. libnftnl answers a
//! failed allocation with null; like the `nftnl` crate we abort then, for there is nothing sensible left to do.
//!
//! [`Batch`] is ours because the crate's sends a long batch in several datagrams, and the kernel takes each as a
//! batch of its own that lacks its end. Ours is one run of bytes.
#![expect(unsafe_code, reason = "libc")]

use std::ffi::{CStr, c_void};
use std::os::raw::c_char;
use std::ptr::NonNull;
use std::time::Duration;

use nftnl::{MsgType, NlMsg, ProtoFamily};
use nftnl_sys as sys;

use super::layout::{TABLE, c_name, key_shape};
use crate::os::netlink::HEADER_LEN;
use crate::ruleset::SetName;

const FAMILY: u16 = ProtoFamily::Inet as u16;

/// The value or the end: see the module's essay.
fn allocated<T>(pointer: *mut T) -> NonNull<T> {
    NonNull::new(pointer).unwrap_or_else(|| std::process::abort())
}

/// One atomic transaction under construction.
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where libnftnl writes one message; as large as it can get.
    scratch: Vec<u64>,
    first_seq: u32,
    /// What each message is about, for errors; the first is the batch's beginning.
    labels: Vec<String>,
}

impl Batch {
    /// Begins a transaction whose messages are numbered from `first_seq`.
    pub(super) fn begin(first_seq: u32) -> Self {
        let scratch = vec![0; nftnl::nft_nlmsg_maxsize() as usize / size_of::<u64>() + 1];
        let mut this = Self { bytes: Vec::new(), scratch, first_seq, labels: Vec::new() };
        // SAFETY: scratch has room for the 20 bytes this writes.
        this.write("transaction".into(), |buffer, seq| unsafe {
            sys::nftnl_batch_begin(buffer, seq);
        });
        this
    }

    /// Adds an object of the nftnl crate.
    pub(super) fn push(&mut self, object: &impl NlMsg, kind: MsgType, label: impl Into<String>) {
        // SAFETY: scratch is `nft_nlmsg_maxsize` long, which is what `NlMsg::write` asks for.
        self.write(label.into(), |buffer, seq| unsafe { object.write(buffer.cast::<c_void>(), seq, kind) });
    }

    /// Ends the transaction.
    pub(super) fn finish(mut self) -> Finished {
        // SAFETY: scratch has room for the 20 bytes this writes.
        self.write("end".into(), |buffer, seq| unsafe {
            sys::nftnl_batch_end(buffer, seq);
        });
        self.labels.pop();
        Finished { bytes: self.bytes, first_seq: self.first_seq, labels: self.labels }
    }

    fn write(&mut self, label: String, build: impl FnOnce(*mut c_char, u32)) {
        let seq = self.first_seq.wrapping_add(self.labels.len() as u32);
        self.labels.push(label);
        build(self.scratch.as_mut_ptr().cast(), seq);
        // SAFETY: the scratch is initialised memory of this many bytes.
        let scratch = unsafe {
            std::slice::from_raw_parts(
                self.scratch.as_ptr().cast::<u8>(),
                self.scratch.len() * size_of::<u64>(),
            )
        };
        let len = u32::from_ne_bytes([scratch[0], scratch[1], scratch[2], scratch[3]]) as usize;
        self.bytes.extend_from_slice(&scratch[..len.clamp(HEADER_LEN, scratch.len())]);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// A transaction ready to be sent as one datagram.
pub(super) struct Finished {
    pub(super) bytes: Vec<u8>,
    first_seq: u32,
    labels: Vec<String>,
}

impl Finished {
    /// How many sequence numbers to reserve for a batch of `messages`.
    pub(super) fn sequence_room(messages: usize) -> u32 {
        messages as u32 + 2
    }

    /// Which message of the batch a reply is about.
    pub(super) fn position(&self, seq: u32) -> Option<usize> {
        let position = seq.wrapping_sub(self.first_seq) as usize;
        (position < self.labels.len()).then_some(position)
    }

    /// What that message was about.
    pub(super) fn label(&self, position: usize) -> &str {
        self.labels.get(position).map_or("", String::as_str)
    }

    /// Every message but the beginning asks for an acknowledgement.
    pub(super) fn expected_acks(&self) -> usize {
        self.labels.len() - 1
    }
}

/// A set: its declaration, some of its elements, or what the kernel reports of it.
pub(super) struct Set {
    raw: NonNull<sys::nftnl_set>,
}

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: we own the set and everything in it.
        unsafe { sys::nftnl_set_free(self.raw.as_ptr()) };
    }
}

/// One element as the kernel reports it.
pub(super) struct RawElement {
    pub(super) key: Vec<u8>,
    /// Time left; `None` if it does not expire.
    pub(super) left: Option<Duration>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Set {
    /// A reference to the set by name, to put elements in.
    pub(super) fn named(set: SetName) -> Self {
        let name = c_name(set.as_str());
        // SAFETY: a fresh set; the setters copy the strings.
        unsafe {
            let raw = allocated(sys::nftnl_set_alloc());
            sys::nftnl_set_set_str(raw.as_ptr(), sys::NFTNL_SET_TABLE as u16, TABLE.as_ptr());
            sys::nftnl_set_set_str(raw.as_ptr(), sys::NFTNL_SET_NAME as u16, name.as_ptr());
            Self { raw }
        }
    }

    /// The declaration of a set whose elements time out and count what they match.
    pub(super) fn declared(set: SetName, id: u32) -> Self {
        let this = Self::named(set);
        let raw = this.raw.as_ptr();
        let (key_type, key_len) = key_shape(set.key_type());
        let numbers = [
            (sys::NFTNL_SET_FAMILY, u32::from(FAMILY)),
            (sys::NFTNL_SET_ID, id),
            (sys::NFTNL_SET_KEY_TYPE, key_type),
            (sys::NFTNL_SET_KEY_LEN, key_len),
            (sys::NFTNL_SET_DESC_SIZE, set.capacity() as u32),
            (sys::NFTNL_SET_FLAGS, libc::NFT_SET_TIMEOUT as u32),
        ];
        for (attribute, value) in numbers {
            // SAFETY: a set we own and attributes that are 32-bit numbers.
            unsafe { sys::nftnl_set_set_u32(raw, attribute as u16, value) };
        }
        // SAFETY: the new expression is handed over to the set, which frees it.
        unsafe {
            let counter = allocated(sys::nftnl_expr_alloc(c"counter".as_ptr()));
            sys::nftnl_set_add_expr(raw, counter.as_ptr());
        }
        this
    }

    /// Adds an element, which lives for `timeout` if given (a deletion names only the key).
    pub(super) fn insert(&mut self, key: &[u8], timeout: Option<Duration>) {
        // SAFETY: a fresh element; the setters copy; the set takes it over.
        unsafe {
            let element = allocated(sys::nftnl_set_elem_alloc()).as_ptr();
            let kind = sys::NFTNL_SET_ELEM_KEY as u16;
            sys::nftnl_set_elem_set(element, kind, key.as_ptr().cast(), key.len() as u32);
            if let Some(timeout) = timeout {
                let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
                sys::nftnl_set_elem_set_u64(element, sys::NFTNL_SET_ELEM_TIMEOUT as u16, millis);
            }
            sys::nftnl_set_elem_add(self.raw.as_ptr(), element);
        }
    }

    /// Takes in what one message of an element dump says.
    pub(super) fn absorb(&mut self, message: &[u8]) {
        if message.len() < HEADER_LEN + 4 {
            return;
        }
        let mut aligned = vec![0u32; message.len().div_ceil(4)];
        // SAFETY: the copy is aligned for nlmsghdr, as long as the message, whose header length was checked against
        // its true length by `netlink::messages`; libnftnl walks attributes within it and only writes to our set.
        unsafe {
            std::ptr::copy_nonoverlapping(message.as_ptr(), aligned.as_mut_ptr().cast::<u8>(), message.len());
            sys::nftnl_set_elems_nlmsg_parse(aligned.as_ptr().cast(), self.raw.as_ptr());
        }
    }

    /// All elements.
    pub(super) fn elements(&self) -> Vec<RawElement> {
        let mut found = Vec::new();
        // SAFETY: the iterator is used and destroyed while the set lives and does not change.
        unsafe {
            let iterator = allocated(sys::nftnl_set_elems_iter_create(self.raw.as_ptr())).as_ptr();
            while let Some(element) = NonNull::new(sys::nftnl_set_elems_iter_next(iterator)) {
                found.push(read_element(element.as_ptr()));
            }
            sys::nftnl_set_elems_iter_destroy(iterator);
        }
        found
    }
}

/// # Safety
/// `element` must be a live element.
unsafe fn read_element(element: *mut sys::nftnl_set_elem) -> RawElement {
    let mut len = 0;
    // SAFETY: the getters return pointers into the element (or null) with their length; we copy at once. Numbers
    // are only read where the attribute is set, and the expression only if it is a counter.
    unsafe {
        let key = sys::nftnl_set_elem_get(element, sys::NFTNL_SET_ELEM_KEY as u16, &raw mut len);
        let key =
            if key.is_null() { &[] } else { std::slice::from_raw_parts(key.cast::<u8>(), len as usize) };
        let expires = sys::nftnl_set_elem_is_set(element, sys::NFTNL_SET_ELEM_EXPIRATION as u16);
        let left = expires.then(|| {
            let millis = sys::nftnl_set_elem_get_u64(element, sys::NFTNL_SET_ELEM_EXPIRATION as u16);
            Duration::from_millis(millis)
        });
        let counter = sys::nftnl_set_elem_get(element, sys::NFTNL_SET_ELEM_EXPR as u16, &raw mut len);
        let count = |attribute: u32| match counter.is_null() {
            true => 0,
            false => sys::nftnl_expr_get_u64(counter.cast(), attribute as u16),
        };
        let (packets, bytes) = (count(sys::NFTNL_EXPR_CTR_PACKETS), count(sys::NFTNL_EXPR_CTR_BYTES));
        RawElement { key: key.to_vec(), left, packets, bytes }
    }
}

// SAFETY: writes one set message, which libnftnl bounds by `nft_nlmsg_maxsize`.
unsafe impl NlMsg for Set {
    unsafe fn write(&self, buf: *mut c_void, seq: u32, kind: MsgType) {
        let kind = match kind {
            MsgType::Add => libc::NFT_MSG_NEWSET,
            MsgType::Del => libc::NFT_MSG_DELSET,
        };
        // SAFETY: the caller gives room for the largest message.
        unsafe {
            let header = build_header(buf, kind, libc::NLM_F_CREATE, seq);
            sys::nftnl_set_nlmsg_build_payload(header, self.raw.as_ptr());
        }
    }
}

/// The elements of a set, as a message: adding creates without `NLM_F_EXCL`, so that a live element is no error.
pub(super) struct Elements<'a>(pub(super) &'a Set);

// SAFETY: writes one message of at most `layout::ELEMENTS_PER_MESSAGE` elements, far below `nft_nlmsg_maxsize`.
unsafe impl NlMsg for Elements<'_> {
    unsafe fn write(&self, buf: *mut c_void, seq: u32, kind: MsgType) {
        let (kind, flags) = match kind {
            MsgType::Add => (libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE),
            MsgType::Del => (libc::NFT_MSG_DELSETELEM, 0),
        };
        // SAFETY: the caller gives room for the largest message.
        unsafe {
            let header = build_header(buf, kind, flags, seq);
            sys::nftnl_set_elems_nlmsg_build_payload(header, self.0.raw.as_ptr());
        }
    }
}

/// # Safety
/// `buffer` must have room for a header of 20 bytes.
unsafe fn build_header(
    buffer: *mut c_void,
    kind: libc::c_int,
    flags: libc::c_int,
    seq: u32,
) -> *mut libc::nlmsghdr {
    let flags = (flags | libc::NLM_F_ACK) as u16;
    // SAFETY: see above.
    unsafe { sys::nftnl_nlmsg_build_hdr(buffer.cast::<c_char>(), kind as u16, FAMILY, flags, seq) }
}

/// A rule under construction: expressions in the order they are evaluated.
pub(super) struct Rule {
    raw: NonNull<sys::nftnl_rule>,
}

impl Drop for Rule {
    fn drop(&mut self) {
        // SAFETY: we own the rule and its expressions.
        unsafe { sys::nftnl_rule_free(self.raw.as_ptr()) };
    }
}

impl Rule {
    /// An empty rule at the end of a chain.
    pub(super) fn in_chain(chain: &CStr) -> Self {
        // SAFETY: a fresh rule; the setters copy the strings.
        unsafe {
            let raw = allocated(sys::nftnl_rule_alloc());
            sys::nftnl_rule_set_str(raw.as_ptr(), sys::NFTNL_RULE_TABLE as u16, TABLE.as_ptr());
            sys::nftnl_rule_set_str(raw.as_ptr(), sys::NFTNL_RULE_CHAIN as u16, chain.as_ptr());
            sys::nftnl_rule_set_u32(raw.as_ptr(), sys::NFTNL_RULE_FAMILY as u16, u32::from(FAMILY));
            Self { raw }
        }
    }

    /// Appends an expression with these attributes.
    pub(super) fn expression(self, name: &CStr, attributes: &[(u32, Value<'_>)]) -> Self {
        // SAFETY: a fresh expression; the setters copy; the rule takes it over.
        unsafe {
            let expression = allocated(sys::nftnl_expr_alloc(name.as_ptr())).as_ptr();
            for &(attribute, value) in attributes {
                match value {
                    Value::Number(number) => sys::nftnl_expr_set_u32(expression, attribute as u16, number),
                    Value::Octet(octet) => sys::nftnl_expr_set_u8(expression, attribute as u16, octet),
                    Value::Data(data) => {
                        let len = data.len() as u32;
                        sys::nftnl_expr_set(expression, attribute as u16, data.as_ptr().cast(), len);
                    }
                    Value::Name(name) => {
                        sys::nftnl_expr_set_str(expression, attribute as u16, name.as_ptr());
                    }
                }
            }
            sys::nftnl_rule_add_expr(self.raw.as_ptr(), expression);
        }
        self
    }
}

/// The value of an expression's attribute.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u32),
    Octet(u8),
    Data(&'a [u8]),
    Name(&'a CStr),
}

// SAFETY: writes one rule of a dozen small expressions, far below `nft_nlmsg_maxsize`.
unsafe impl NlMsg for Rule {
    unsafe fn write(&self, buf: *mut c_void, seq: u32, kind: MsgType) {
        let (kind, flags) = match kind {
            MsgType::Add => (libc::NFT_MSG_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND),
            MsgType::Del => (libc::NFT_MSG_DELRULE, 0),
        };
        // SAFETY: the caller gives room for the largest message.
        unsafe {
            let header = build_header(buf, kind, flags, seq);
            sys::nftnl_rule_nlmsg_build_payload(header, self.raw.as_ptr());
        }
    }
}
