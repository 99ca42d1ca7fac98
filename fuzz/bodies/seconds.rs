//! Body of the fuzz target for files of seconds: whatever the lines say, they are refused, or make rows.

use std::sync::Arc;

use streamguard::engine::{Engine, FILE_SEED, Model, Settings};
use streamguard::lan::{Identify, Vantage};
use streamguard::seconds::{Entry, Reader};
use streamguard::watch::Sensitivity;

thread_local! {
    static MODEL: Arc<Model> = Arc::new(Model::embedded());
}

/// Bytes as a file of seconds, up to the first line that is refused.
pub fn seconds(data: &[u8]) {
    let mut engine = Engine::new(Settings {
        vantage: Vantage::Guess,
        identify: Identify::Ip,
        sensitivity: Sensitivity::Normal,
        model: MODEL.with(Arc::clone),
        seed: FILE_SEED,
    });
    let mut clients = Vec::new();
    let Ok(mut reader) = Reader::try_new(data) else { return };
    while let Ok(Some(entry)) = reader.next() {
        match entry {
            Entry::First(at) => engine.begin(at),
            Entry::Client(id) => clients.push(engine.enter(id)),
            Entry::Clock(at) => engine.handle_tick(at),
            Entry::Record { client, second, server, sums } => {
                engine.handle_counted(clients[client], second, server, &sums);
            }
        }
        while engine.poll().is_some() {}
    }
    engine.finish();
}
