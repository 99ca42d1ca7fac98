//! Packs what the program carries along: the artefacts of model/ (src/classify/packed.rs says how), and files/www for
//! the gateway: each file gzipped, with its type and a tag made of its bytes.
//!
//! The latter only with feature `web`. The files are served as they lie there; nothing is bundled or rewritten. The translations,
//! which LuCI wants as gettext's .po, come along as JSON.
#![allow(clippy::disallowed_methods, reason = "a build script reads and writes files")]

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let home = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    for name in ["streaming.forest", "threat.forest"] {
        let artefact = home.join("model").join(name);
        println!("cargo::rerun-if-changed={}", artefact.display());
        fs::write(out.join(format!("{name}.packed")), packed(&fs::read(artefact)?)?)?;
    }
    if std::env::var_os("CARGO_FEATURE_WEB").is_none() {
        return Ok(());
    }
    let (root, translations) = (home.join("files/www"), home.join("openwrt/luci-app-streamguard/po"));
    let mut files = Vec::new();
    for (directory, keep) in [(&root, ""), (&translations, "po")] {
        println!("cargo::rerun-if-changed={}", directory.display());
        list(directory, keep, &mut files)?;
    }
    files.sort();
    let mut table = String::from("pub(super) const ASSETS: &[Asset] = &[\n");
    for (index, file) in files.iter().enumerate() {
        let (name, bytes) = match file.strip_prefix(&translations) {
            Ok(below) => (
                format!("po/{}.json", below.parent().unwrap_or(below).display()),
                json(&fs::read_to_string(file)?),
            ),
            Err(_) => (
                file.strip_prefix(&root).unwrap_or(file).to_string_lossy().replace('\\', "/"),
                fs::read(file)?,
            ),
        };
        let mut packer = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
        packer.write_all(&bytes)?;
        fs::write(out.join(format!("asset{index}.gz")), packer.finish()?)?;
        let tag: String = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        writeln!(
            table,
            "    Asset {{ path: {name:?}, kind: {:?}, tag: \"\\\"{tag}\\\"\", \
             gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/asset{index}.gz\")) }},",
            kind(Path::new(&name))
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table)
}

/// An artefact with the first of every four bytes first, then the second and so on, deflated.
fn packed(artefact: &[u8]) -> io::Result<Vec<u8>> {
    let columns: Vec<u8> =
        (0..4).flat_map(|column| artefact.iter().skip(column).step_by(4)).copied().collect();
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&columns)?;
    packer.finish()
}

/// The files below a directory whose names end so.
fn list(directory: &Path, ending: &str, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, ending, files)?;
        } else if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    Ok(())
}

/// The texts of a .po that are translated. Its strings are quoted as JSON's are, one a line (openwrt/i18n.py).
fn json(po: &str) -> Vec<u8> {
    let texts = po.split("\n\n").filter_map(|entry| {
        let quoted =
            |key: &str| entry.lines().find_map(|line| line.strip_prefix(key)).filter(|text| *text != "\"\"");
        Some(format!("{}:{}", quoted("msgid ")?, quoted("msgstr ")?))
    });
    format!("{{{}}}", texts.collect::<Vec<_>>().join(",")).into_bytes()
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "webmanifest") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}
