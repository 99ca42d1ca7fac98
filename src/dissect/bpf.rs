//! Filters: programs of the classic BSD packet filter, run on frames from files.
//!
//! libpcap compiles an expression (`tcp port 443`) to such a program; running it here, not there, keeps the length
//! on the wire apart from what was captured, so that `greater 1000` is right for captures of headers only. A
//! program is checked once: jumps go forward and stay inside, so it ends.

use super::Frame;

/// Longest program that the kernel would take, too.
pub const MAX_INSTRUCTIONS: usize = 4096;
/// Words of scratch memory.
const SCRATCH: usize = 16;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip if true.
    pub jt: u8,
    /// Instructions to skip if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// A checked program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

impl Program {
    /// Checks a program; `None` if it could run out of its instructions or is too long.
    pub fn try_new(instructions: Vec<Instruction>) -> Option<Self> {
        let len = instructions.len();
        let inside = |at: usize, skip: u32| at + 1 + (skip as usize) < len;
        let valid = |(at, i): (usize, &Instruction)| match i.code & 7 {
            JMP if i.code & 0xf0 == 0 => inside(at, i.k),
            JMP => inside(at, i.jt.into()) && inside(at, i.jf.into()),
            RET => true,
            _ => inside(at, 0),
        };
        let ok = len > 0 && len <= MAX_INSTRUCTIONS && instructions.iter().enumerate().all(valid);
        ok.then_some(Self(instructions))
    }

    /// Whether the program takes a frame.
    pub fn takes(&self, frame: &Frame<'_>) -> bool {
        let mut machine = Machine { a: 0, x: 0, scratch: [0; SCRATCH], frame };
        let mut at = 0;
        while let Some(instruction) = self.0.get(at) {
            at += 1;
            match instruction.code & 7 {
                RET => return machine.returned(instruction) != 0,
                JMP => at += machine.skip(instruction),
                _ => match machine.compute(instruction) {
                    Some(()) => {}
                    None => return false,
                },
            }
        }
        false
    }
}

const JMP: u16 = 5;
const RET: u16 = 6;
/// The operand is the index register.
const BY_X: u16 = 8;

struct Machine<'m, 'a> {
    a: u32,
    x: u32,
    scratch: [u32; SCRATCH],
    frame: &'m Frame<'a>,
}

impl Machine<'_, '_> {
    fn returned(&self, i: &Instruction) -> u32 {
        if i.code & 0x18 == 0x10 { self.a } else { i.k }
    }

    fn operand(&self, i: &Instruction) -> u32 {
        if i.code & BY_X != 0 { self.x } else { i.k }
    }

    fn skip(&self, i: &Instruction) -> usize {
        let operand = self.operand(i);
        let holds = match i.code & 0xf0 {
            0x00 => return i.k as usize,
            0x10 => self.a == operand,
            0x20 => self.a > operand,
            0x30 => self.a >= operand,
            _ => self.a & operand != 0,
        };
        usize::from(if holds { i.jt } else { i.jf })
    }

    /// Loads, stores and arithmetic; `None` ends the program: nothing is there, or a division by zero.
    fn compute(&mut self, i: &Instruction) -> Option<()> {
        match i.code & 7 {
            0 => self.a = self.load(i)?,
            1 => self.x = self.load(i)?,
            2 => *self.scratch.get_mut(i.k as usize)? = self.a,
            3 => *self.scratch.get_mut(i.k as usize)? = self.x,
            4 => self.a = self.arithmetic(i)?,
            _ if i.code & 0xf8 == 0 => self.x = self.a,
            _ => self.a = self.x,
        }
        Some(())
    }

    fn load(&self, i: &Instruction) -> Option<u32> {
        let size = match i.code & 0x18 {
            0x00 => 4,
            0x08 => 2,
            _ => 1,
        };
        match i.code & 0xe0 {
            0x00 => Some(i.k),
            0x20 => self.bytes(i.k as usize, size),
            0x40 => self.bytes((self.x as usize).checked_add(i.k as usize)?, size),
            0x60 => self.scratch.get(i.k as usize).copied(),
            0x80 => Some(self.frame.wire_len),
            // Four times the low half of a byte: the length of an IPv4 header.
            _ => Some((self.bytes(i.k as usize, 1)? & 15) * 4),
        }
    }

    fn bytes(&self, at: usize, size: usize) -> Option<u32> {
        let bytes = self.frame.data.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    fn arithmetic(&self, i: &Instruction) -> Option<u32> {
        let (a, b) = (self.a, self.operand(i));
        Some(match i.code & 0xf0 {
            0x00 => a.wrapping_add(b),
            0x10 => a.wrapping_sub(b),
            0x20 => a.wrapping_mul(b),
            0x30 => a.checked_div(b)?,
            0x40 => a | b,
            0x50 => a & b,
            0x60 => a.checked_shl(b).unwrap_or(0),
            0x70 => a.checked_shr(b).unwrap_or(0),
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(b)?,
            _ => a ^ b,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::LinkType;
    use crate::time::Moment;

    fn program(words: &[(u16, u8, u8, u32)]) -> Option<Program> {
        Program::try_new(words.iter().map(|&(code, jt, jf, k)| Instruction { code, jt, jf, k }).collect())
    }

    fn takes(program: &Program, data: &[u8], wire_len: u32) -> bool {
        program.takes(&Frame { at: Moment::ZERO, link: LinkType::Ethernet, wire_len, data })
    }

    #[test]
    fn lengths_are_those_on_the_wire() {
        // `greater 1000`
        let greater = program(&[(0x80, 0, 0, 0), (0x35, 0, 1, 1000), (6, 0, 0, 1), (6, 0, 0, 0)]).unwrap();
        assert!(takes(&greater, &[0; 60], 1000));
        assert!(!takes(&greater, &[0; 60], 999));
    }

    #[test]
    fn fields_are_read_and_what_is_not_there_ends_the_program() {
        // `ip`
        let ip = program(&[(0x28, 0, 0, 12), (0x15, 0, 1, 0x800), (6, 0, 0, 1), (6, 0, 0, 0)]).unwrap();
        let mut data = [0; 14];
        data[12] = 8;
        assert!(takes(&ip, &data, 14));
        assert!(!takes(&ip, &data[..13], 14));
    }

    #[test]
    fn programs_that_could_run_out_are_refused() {
        assert_eq!(program(&[]), None);
        assert_eq!(program(&[(0x28, 0, 0, 12)]), None);
        assert_eq!(program(&[(0x15, 1, 0, 0), (6, 0, 0, 0)]), None);
        assert_eq!(program(&[(0x05, 0, 0, u32::MAX), (6, 0, 0, 0)]), None);
    }
}
