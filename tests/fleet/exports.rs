//! Exported rows and packets in the hands of those they are for: pandas, the shell of SQLite, Wireshark's capinfos.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::netns::{BINARY, Household, SEGMENT, SERVERS, run, within, works};

/// The system's own, which has Debian's pandas.
const PYTHON: &str = "/usr/bin/python3";

/// Reads every table with pandas and prints what it took the columns for, and the bytes of the flows.
const PANDAS: &str = "import json, sys, pandas
frames = {file.rsplit('/', 1)[1].split('.')[0]: pandas.read_csv(file) for file in sys.argv[1:]}
flows = frames['flows']
print(json.dumps({
    'rows': {name: len(frame) for name, frame in frames.items()},
    'kinds': {name: {column: frame[column].dtype.kind for column in frame} for name, frame in frames.items()},
    'bytes': int(flows.bytes_orig.sum() + flows.bytes_resp.sum()),
    'proto': sorted(set(flows.proto.astype(str))),
}))";

impl Household {
    /// A table as a file, in one form.
    fn exported(&self, what: &str, form: &str) -> String {
        let file = self.dir.join(format!("{what}.{form}")).display().to_string();
        let output = Command::new(BINARY)
            .env("STREAMGUARD_RUN_DIR", self.dir.join("run"))
            .args(["export", what, "--from", "2h", "--format", form, "-o", &file])
            .output()
            .expect("export");
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        file
    }
}

/// What the shell of SQLite prints for a script.
fn sqlite(database: &str, script: &str) -> String {
    let mut command = Command::new("sqlite3");
    for line in script.lines() {
        command.args(["-cmd", line]);
    }
    let output = command.args([database, ".quit"]).output().expect("sqlite3");
    assert!(output.stderr.is_empty(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn exports_are_read_by_pandas_sqlite_and_capinfos() {
    let has_pandas = Command::new(PYTHON).args(["-c", "import pandas"]).output();
    if !has_pandas.is_ok_and(|output| output.status.success())
        || !works("sqlite3 --version")
        || !works("capinfos --version")
    {
        return eprintln!("exports_are_read: skipped, no pandas, sqlite3 or capinfos");
    }
    let Some(mut house) = Household::try_new("exports") else { return };
    house.start("servers", "servers", &["python3", SERVERS]);
    house.daemon();
    house.player("video", "phone", ["tcp", "203.0.113.10", SEGMENT, "4"]);
    within(Duration::from_secs(120), "the phone is watching", || {
        house.client("Phone")["used_s"].as_u64().filter(|used_s| *used_s >= 20)
    });
    house.signal("video", "TERM");
    // The last segment arrives.
    std::thread::sleep(Duration::from_secs(2));

    let packets = house.call("export_pcap", &json!({ "who": "Phone" }));
    let now = ["windows", "flows"].map(|what| house.exported(what, "csv"));
    // History is written every quarter of an hour (`commit_interval`), and at the end.
    house.signal("daemon", "TERM");
    house.daemon();
    let history = ["usage", "traffic"].map(|what| house.exported(what, "csv"));
    let tables = [now, history].concat();
    let output = Command::new(PYTHON).args(["-c", PANDAS]).args(&tables).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let read: Value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
    for (name, rows) in read["rows"].as_object().expect("tables") {
        assert!(rows.as_u64() > Some(0), "{name}: {read}");
    }
    for (table, column, kind) in [
        ("windows", "start_s", "i"),
        ("windows", "score", "f"),
        ("flows", "bytes_orig", "i"),
        ("usage", "used_s", "i"),
        ("traffic", "down_bytes", "i"),
    ] {
        assert_eq!(read["kinds"][table][column], kind, "{table}.{column}: {read}");
    }

    let sum =
        format!(".import --csv {} flows\nselect sum(bytes_orig) + sum(bytes_resp) from flows;", tables[1]);
    assert_eq!(sqlite(":memory:", &sum), read["bytes"].to_string(), "{read}");
    let database = house.dir.join("state/streamguard.db").display().to_string();
    assert_eq!(sqlite(&database, "pragma integrity_check;"), "ok");

    let info = run(&format!("capinfos -M -c -E {}", packets["file"].as_str().expect("file")));
    let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert_eq!(line("Number of packets:"), Some(packets["packets"].to_string().as_str()), "{info}");
    assert_eq!(line("File encapsulation:"), Some("ether"), "{info}");
    house.signal("daemon", "TERM");
}
