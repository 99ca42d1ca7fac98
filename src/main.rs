//! The shell's front door.

fn main() {
    eprintln!("streamguard: nothing to run yet");
}
