//! Filter expressions (`tcp port 443`), compiled by libpcap.

use std::fmt;

use crate::dissect::LinkType;
#[cfg(feature = "os")]
use crate::dissect::bpf::Instruction;
use crate::dissect::bpf::Program;

/// Why an expression is no filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// This program was built without libpcap.
    #[cfg(not(feature = "os"))]
    NotBuiltIn,
    /// libpcap does not understand it.
    Syntax {
        /// What it says.
        message: String,
    },
    /// It compiles to something that cannot be run here.
    Unusable,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(not(feature = "os"))]
            Self::NotBuiltIn => f.write_str("this build has no libpcap and cannot filter"),
            Self::Syntax { message } => f.write_str(message),
            Self::Unusable => f.write_str("libpcap made a program of it that cannot be run"),
        }
    }
}

impl std::error::Error for FilterError {}

/// Compiles an expression for frames of one link type.
///
/// # Errors
/// An expression that libpcap refuses, or a build without it.
#[cfg(feature = "os")]
pub fn compile(expression: &str, link: LinkType) -> Result<Program, FilterError> {
    let syntax = |error: pcap::Error| FilterError::Syntax { message: error.to_string() };
    let dead = pcap::Capture::dead(pcap::Linktype(libpcap_number(link)?)).map_err(syntax)?;
    let compiled = dead.compile(expression, true).map_err(syntax)?;
    let instructions = compiled.get_instructions().iter().map(|one| instruction(&one.to_string()));
    instructions.collect::<Option<Vec<_>>>().and_then(Program::try_new).ok_or(FilterError::Unusable)
}

/// Compiles an expression for frames of one link type.
///
/// # Errors
/// Always: this build has no compiler.
#[cfg(not(feature = "os"))]
pub fn compile(_expression: &str, _link: LinkType) -> Result<Program, FilterError> {
    Err(FilterError::NotBuiltIn)
}

/// What libpcap calls a link type within a process, where it differs from the number in files.
#[cfg(feature = "os")]
fn libpcap_number(link: LinkType) -> Result<i32, FilterError> {
    Ok(match link {
        LinkType::Null => 0,
        LinkType::Ethernet => 1,
        LinkType::Ppp => 9,
        LinkType::PppEther => 51,
        LinkType::RawIp => 12,
        LinkType::Sll => 113,
        LinkType::Ipv4 => 228,
        LinkType::Ipv6 => 229,
        LinkType::Sll2 => 276,
        LinkType::Other(number) => i32::try_from(number).map_err(|_| FilterError::Unusable)?,
    })
}

/// The four numbers that the `pcap` crate prints of an instruction, which it does not let us see.
#[cfg(feature = "os")]
fn instruction(text: &str) -> Option<Instruction> {
    let mut numbers = text.split_whitespace();
    let instruction = Instruction {
        code: numbers.next()?.parse().ok()?,
        jt: numbers.next()?.parse().ok()?,
        jf: numbers.next()?.parse().ok()?,
        k: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(instruction)
}

/// A filter over frames of any link type, compiled for each that occurs.
#[derive(Debug)]
pub struct Filter {
    expression: String,
    programs: Vec<(LinkType, Program)>,
}

impl Filter {
    /// Compiles for Ethernet first, so that a wrong expression is told at once.
    ///
    /// # Errors
    /// As [`compile`].
    pub fn try_new(expression: &str) -> Result<Self, FilterError> {
        let program = compile(expression, LinkType::Ethernet)?;
        Ok(Self { expression: expression.to_owned(), programs: vec![(LinkType::Ethernet, program)] })
    }

    /// Whether a frame is taken.
    ///
    /// # Errors
    /// An expression that means nothing on a link of this type.
    pub fn takes(&mut self, frame: &crate::dissect::Frame<'_>) -> Result<bool, FilterError> {
        if let Some((_, program)) = self.programs.iter().find(|(link, _)| *link == frame.link) {
            return Ok(program.takes(frame));
        }
        let program = compile(&self.expression, frame.link)?;
        let takes = program.takes(frame);
        self.programs.push((frame.link, program));
        Ok(takes)
    }
}

#[cfg(all(test, feature = "os"))]
mod tests {
    use super::*;
    use crate::dissect::Frame;
    use crate::time::Moment;

    #[test]
    fn expressions_take_what_they_say() {
        let mut arp = vec![0; 60];
        arp[12..14].copy_from_slice(&[8, 6]);
        let frame = Frame { at: Moment::ZERO, link: LinkType::Ethernet, wire_len: 60, data: &arp };
        let takes = |expression| Filter::try_new(expression).unwrap().takes(&frame).unwrap();
        assert!(takes("arp") && takes("not ip") && takes("") && takes("less 60"));
        assert!(!takes("ip6") && !takes("tcp port 80") && !takes("greater 61"));
        assert!(matches!(Filter::try_new("tcp prot 80"), Err(FilterError::Syntax { .. })));
    }
}
