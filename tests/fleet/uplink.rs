//! `streamguard uplink` into a real PostgreSQL, through killed processes, lost answers and a database that restarts.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use streamguard::history::{AlertRow, Minute, SessionRow, Stretch, TrafficRow, UsageRow};
use streamguard::os::store::{Database, Limits, Urgency};
use streamguard::time::{LocalDay, Moment};
use streamguard::units::Bytes;

use super::netns::{BINARY, Household, epoch_s, run, works};

const LOADER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/loader.py");
const TOKEN: &str = "a-secret";
const CLIENTS: i64 = 12;
const HOURS: i64 = 20;
const LIMITS: Limits =
    Limits { size: Bytes(10_000_000), history_days: 400, interval: Duration::from_secs(3_600) };

/// A PostgreSQL of the test's own, reached by a socket in a directory.
struct Postgres {
    directory: PathBuf,
    programs: PathBuf,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.control("stop");
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Postgres {
    fn start(name: &str) -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let programs =
            versions.map(|version| version.path().join("bin")).find(|bin| bin.join("initdb").exists())?;
        let uid = run("id -u postgres").trim().parse().ok()?;
        let directory = std::env::temp_dir().join(format!("streamguard-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("directory");
        chown(&directory, Some(uid), None).expect("owner");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("mode");
        let postgres = Self { directory, programs };
        postgres.run(&["initdb", "-A", "trust", "-N"]);
        postgres.control("start");
        Some(postgres)
    }

    /// One of PostgreSQL's programs, as its own user.
    fn run(&self, words: &[&str]) -> bool {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
        command
            .arg(self.programs.join(words[0]))
            .args(&words[1..])
            .arg("-D")
            .arg(self.directory.join("data"));
        command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn control(&self, verb: &str) {
        let options = format!("-k {} -c listen_addresses=''", self.directory.display());
        let log = self.directory.join("log").display().to_string();
        match verb {
            "start" => {
                assert!(
                    self.run(&["pg_ctl", "-w", "-o", &options, "-l", &log, "start"]),
                    "PostgreSQL starts"
                );
            }
            // As if the machine had lost its power.
            _ => drop(self.run(&["pg_ctl", "-m", "immediate", "stop"])),
        }
    }

    fn connection(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.directory.display())
    }

    fn ask(&self, query: &str) -> String {
        let output =
            Command::new("psql").args(["-X", "-At", "-c", query, &self.connection()]).output().expect("psql");
        assert!(output.status.success(), "{query}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// A household's last day in its database, as if the daemon had been there.
fn history(house: &Household) {
    let state = house.dir.join("state");
    fs::create_dir_all(&state).expect("state");
    let (mut database, _) = Database::open(&state.join("streamguard.db"), LIMITS).expect("database");
    let this_hour_s = epoch_s() as i64 / 3_600 * 3_600;
    let client = |no: i64| format!("02:00:00:00:02:{no:02x}");
    for hour in 1..=HOURS {
        let start_s = this_hour_s - hour * 3_600;
        let rows = (0..CLIENTS).flat_map(|no| {
            ["YouTube", "odd/service\u{202e}\"x\"", ""].map(|service| TrafficRow {
                stretch: Stretch::Minute,
                start_s,
                client: client(no),
                service: service.into(),
                protocol: "quic".into(),
                up_bytes: (1_000 * hour + no) as u64,
                down_bytes: (900_000 * hour + no) as u64,
            })
        });
        database.intake().put_minute(Minute { start_s, traffic: rows.collect(), peers: Vec::new() });
        database.intake().put_session(SessionRow {
            client: client(hour % CLIENTS),
            start_s,
            end_s: start_s + 600,
            watch_s: 590,
            services: vec!["YouTube".into()],
            servers: vec![("203.0.113.11".into(), 5)],
        });
    }
    let today = LocalDay::from_days((this_hour_s / 86_400) as i32);
    for no in 0..CLIENTS {
        database.intake().put_usage(UsageRow { day: today, client: client(no), used_s: 60 * no as u32 });
    }
    for id in 1..=3 {
        database.intake().put_alert(AlertRow {
            id,
            kind: "port_scan".into(),
            severity: "high".into(),
            source: client(1),
            target: None,
            first_s: this_hour_s - 900,
            last_s: this_hour_s - 600,
            closed: true,
            evidence: "{\"ports\":500}".into(),
            opinion: None,
            acked_s: None,
            note: None,
            resolved_s: None,
        });
    }
    database.commit(Urgency::Leaving, Moment::from_secs(1), today).expect("commit");
}

/// Rows and bytes of the hours that have been over for ten minutes, as the daemon tells anybody.
fn told(house: &Household) -> (u64, u64) {
    let settled_s = (epoch_s() as i64 - 600) / 3_600 * 3_600;
    let answer = house.call("traffic", &json!({ "from": "24h", "to": settled_s, "by": "all" }));
    let rows = answer["traffic"].as_array().expect("rows");
    let rows: Vec<&Value> = rows.iter().filter(|row| row["service"] != "(none)").collect();
    (rows.len() as u64, rows.iter().map(|row| row["down_bytes"].as_u64().expect("bytes")).sum())
}

/// A household with history, and where it is told.
struct Scene {
    house: Household,
    postgres: Postgres,
    faults: String,
    config: String,
}

impl Scene {
    fn try_new() -> Option<Self> {
        if !works("curl --version") || !works("psql --version") {
            return None;
        }
        let postgres = Postgres::start("uplink-pg")?;
        let mut house = Household::try_new("uplink")?;
        history(&house);
        house.daemon_with(&format!(
            "\nconfig uplink 'uplink'\n\toption enabled '1'\n\toption url 'http://203.0.113.11:8080/in'\n\
             \toption token '{TOKEN}'\n\toption spool '64k'\n"
        ));
        let config = house.dir.join("config").display().to_string();
        let faults = postgres.directory.join("fault").display().to_string();
        Some(Self { house, postgres, faults, config })
    }

    fn load(&mut self) {
        let connection = self.postgres.connection();
        let faults = format!("LOADER_FAULTS={}", self.faults);
        let words = ["env", &faults, "python3", LOADER, "203.0.113.11", "8080", &connection, TOKEN];
        self.house.start("loader", "servers", &words);
    }

    /// Takes and sends what there is.
    fn begin(&mut self) {
        self.house.start("uplink", "router", &[BINARY, "uplink", "--config", &self.config, "--once"]);
    }

    /// The same, and whether nothing waits then.
    fn once(&mut self) -> bool {
        self.begin();
        self.house.ends("uplink")
    }

    fn waiting(&self) -> u64 {
        let text = run(&format!("{BINARY} uplink --config {} --status", self.config));
        let status: Value = serde_json::from_str(&text).expect("status");
        status["waiting"].as_u64().expect("a number")
    }

    /// Answers are lost and batches refused; uplink, loader and database are killed at any moment.
    fn suffer(&mut self, round: usize) {
        let fault = ["mute", "refuse", "none"][round % 3];
        let file = format!("{}.{fault}", self.faults);
        fs::write(&file, "").expect("fault");
        self.begin();
        std::thread::sleep(Duration::from_millis(100 + 97 * round as u64 % 700));
        match round % 6 {
            1 => {
                self.house.signal("loader", "KILL");
                self.load();
            }
            4 => {
                self.postgres.control("stop");
                self.postgres.control("start");
            }
            _ => {}
        }
        self.house.signal("uplink", "KILL");
        let _ = fs::remove_file(file);
    }
}

#[test]
fn every_row_reaches_postgresql_once_whatever_is_killed() {
    let Some(mut scene) = Scene::try_new() else {
        return eprintln!("every_row_reaches_postgresql: skipped, needs root, curl and PostgreSQL");
    };
    assert!(!scene.once(), "nobody listens");
    assert!(scene.waiting() > 0);
    scene.load();
    (0..24).for_each(|round| scene.suffer(round));
    let sent = (0..30).any(|_| scene.once());
    assert!(sent, "uplink: {}\nloader: {}", scene.house.printed("uplink"), scene.house.printed("loader"));
    assert_eq!(scene.waiting(), 0);
    let ask = |query: &str| scene.postgres.ask(query);
    let hours =
        ask("SELECT count(*), sum((row->>'down_bytes')::bigint) FROM streamguard WHERE kind = 'traffic'");
    let (rows, bytes) = told(&scene.house);
    assert!(rows >= (CLIENTS * 3 * (HOURS - 1)) as u64, "{rows}");
    assert_eq!(hours, format!("{rows}|{bytes}"), "rows and bytes of the hours");
    let kinds = ask("SELECT kind, count(*) FROM streamguard WHERE kind <> 'traffic' GROUP BY 1 ORDER BY 1");
    assert_eq!(kinds, format!("alerts|3\nsessions|{HOURS}\nusage|{CLIENTS}"));
    let odd = ask("SELECT count(*) > 0 FROM streamguard WHERE row->>'service' = E'odd/service\\u202e\"x\"'");
    assert_eq!(odd, "t", "a hostile name arrives as it is");
    let twice = ask("SELECT count(*) FROM streamguard_batch WHERE seen > 1");
    println!("uplink: {rows} rows of traffic in PostgreSQL; {twice} batches came more than once");
    // Told anew when it changes, and only that.
    scene.house.call("ack", &json!({ "alert": 2, "note": "mine" }));
    assert!(scene.once());
    let acked =
        scene.postgres.ask("SELECT count(*), count(row->>'note') FROM streamguard WHERE kind = 'alerts'");
    assert_eq!(acked, "3|1");
}
