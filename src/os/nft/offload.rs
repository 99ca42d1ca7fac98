//! What the router forwards past the firewall: flowtables, read only.
//!
//! A flow in a software flowtable still crosses the devices it lists, so capture works on a bridge that is listed
//! and is nearly blind on a bridge whose *ports* are listed instead (fw4 of 22.03 and 23.05). Hardware offload
//! shows the processor nothing at all. We never change any of it; we need to know.

use crate::os::netlink::{Request, attribute, attributes};

// linux/netfilter/nf_tables.h; not in libc.
pub(super) const NEWFLOWTABLE: i32 = 22;
const GETFLOWTABLE: i32 = 23;
pub(super) const DELFLOWTABLE: i32 = 24;
const FLOWTABLE_TABLE: u16 = 1;
const FLOWTABLE_NAME: u16 = 2;
const FLOWTABLE_HOOK: u16 = 3;
const FLOWTABLE_FLAGS: u16 = 7;
const HOOK_DEVICES: u16 = 3;
const DEVICE_NAME: u16 = 1;
const FLAG_HARDWARE: u32 = 1;

/// A flowtable of any table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flowtable {
    /// The table it belongs to.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Who does the work.
    pub kind: OffloadKind,
    /// The devices between which flows are short-cut.
    pub devices: Vec<String>,
}

/// Who forwards an offloaded flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffloadKind {
    /// The kernel, early: capture on the listed devices sees every packet.
    Software,
    /// The switch chip: nobody sees the packets.
    Hardware,
}

pub(super) fn request() -> Request {
    Request::new(super::nft_message(GETFLOWTABLE), libc::NLM_F_DUMP).raw(&[
        libc::NFPROTO_UNSPEC as u8,
        0,
        0,
        0,
    ])
}

/// One flowtable from the body of a dump's message; `None` if it does not say what it is.
pub(super) fn parse(body: &[u8]) -> Option<Flowtable> {
    let body = body.get(4..)?;
    let flags = attribute(body, FLOWTABLE_FLAGS).and_then(|value| value.first_chunk());
    let hardware = flags.is_some_and(|flags| u32::from_be_bytes(*flags) & FLAG_HARDWARE != 0);
    let devices =
        attribute(body, FLOWTABLE_HOOK).and_then(|hook| attribute(hook, HOOK_DEVICES)).unwrap_or(&[]);
    Some(Flowtable {
        table: text(attribute(body, FLOWTABLE_TABLE)?),
        name: text(attribute(body, FLOWTABLE_NAME)?),
        kind: if hardware { OffloadKind::Hardware } else { OffloadKind::Software },
        devices: attributes(devices)
            .filter(|(kind, _)| *kind == DEVICE_NAME)
            .map(|(_, name)| text(name))
            .collect(),
    })
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&b| b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::netlink;

    #[test]
    fn a_flowtable_says_its_devices_and_whether_hardware_does_the_work() {
        let bytes = Request::new(0, 0)
            .raw(&[1, 0, 0, 0])
            .attribute(FLOWTABLE_TABLE, b"fw4\0")
            .attribute(FLOWTABLE_NAME, b"ft\0")
            .nested(FLOWTABLE_HOOK, |hook| {
                hook.attribute(1, &[0; 4]).nested(HOOK_DEVICES, |devices| {
                    devices.attribute(DEVICE_NAME, b"lan1\0").attribute(DEVICE_NAME, b"wan\0")
                })
            })
            .attribute(FLOWTABLE_FLAGS, &1u32.to_be_bytes())
            .finish(1);
        let message = netlink::messages(&bytes).next().unwrap();
        let expected = Flowtable {
            table: "fw4".into(),
            name: "ft".into(),
            kind: OffloadKind::Hardware,
            devices: vec!["lan1".into(), "wan".into()],
        };
        assert_eq!(parse(message.body), Some(expected));
        for cut in 0..message.body.len() {
            parse(&message.body[..cut]);
        }
    }
}
