//! `features` from and to files of seconds.

use std::io::{BufRead, Write};
use std::path::Path;

use super::{Args, Of, Whose, engine, phase, write_head};
use crate::cli::Failure;
use crate::dissect::dissect;
use crate::os::files::{CaptureReader, shown};
use crate::seconds::{BadSeconds, Entry, Reader, Writer};

/// Writes the seconds of a capture.
pub(super) fn write(args: &Args, mut reader: CaptureReader, out: &mut impl Write) -> Result<(), Failure> {
    let mut engine = engine(args);
    let mut writer = Writer::try_new(out)?;
    let phase = phase(args)?;
    while let Some(mut frame) = reader.next().map_err(|error| Failure::from_error(&error))? {
        frame.at = frame.at + phase;
        let packet = dissect(&frame);
        let sample = engine.handle_packet(&packet).sample(&packet);
        writer.frame(frame.at)?;
        if let Some((client, sample)) = sample {
            writer.packet(engine.lan().clients(), client, &sample)?;
        }
        while engine.poll().is_some() {}
    }
    Ok(writer.finish()?)
}

/// Writes the rows of a file of seconds. Who is a client, and when a second begins, was settled when they were counted.
pub(super) fn write_rows(
    args: &Args,
    path: &Path,
    lines: impl BufRead,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if args.of != Of::Rows(Whose::Windows) || !args.lan.is_empty() {
        return Err(Failure::new(
            "features: of a file of seconds there are windows only, of the clients it has",
        ));
    }
    let phase = phase(args)?;
    if phase.subsec_nanos() != 0 {
        return Err(Failure::new("--phase: a file of seconds knows whole seconds only"));
    }
    let in_file =
        |error: BadSeconds| Failure::new(format!("{}: {}", shown(path), Failure::from_error(&error)));
    let mut reader = Reader::try_new(lines).map_err(in_file)?;
    let mut engine = engine(args);
    let mut clients = Vec::new();
    write_head(Whose::Windows, out)?;
    while let Some(entry) = reader.next().map_err(in_file)? {
        match entry {
            Entry::First(at) => engine.begin(at + phase),
            Entry::Client(id) => clients.push(engine.enter(id)),
            Entry::Clock(at) => engine.handle_tick(at + phase),
            Entry::Record { client, second, server, sums } => {
                if let Some(&client) = clients.get(client) {
                    engine.handle_counted(client, second + phase, server, &sums);
                }
            }
        }
        super::write_rows(&mut engine, Whose::Windows, out)?;
    }
    engine.finish();
    Ok(super::write_rows(&mut engine, Whose::Windows, out)?)
}
