//! `model`: what is in force, and whether a file would do.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::Failure;
use crate::detect::{Class, SecondOpinion, threat_schema_hash, threat_schema_text};
use crate::engine::Model;
use crate::features::{schema_hash, schema_text};
use crate::os::files::read_bounded;

/// describe the model in force, or check a trained one
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "model")]
pub(super) struct Args {
    /// a trained model to check
    #[argh(positional)]
    file: Option<PathBuf>,
    /// print the feature schema and its hash instead
    #[argh(switch)]
    schema: bool,
    /// the second opinion on alerts instead
    #[argh(switch)]
    threats: bool,
    /// one JSON document
    #[argh(switch)]
    json: bool,
}

/// The model to use: the named file, or the built-in one.
pub(super) fn load(path: Option<&PathBuf>) -> Result<Model, Failure> {
    let Some(path) = path else { return Ok(Model::embedded()) };
    let bytes = read_bounded(path, crate::classify::MAX_ARTIFACT_BYTES + 1)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Model::from_bytes(&bytes)
        .map_err(|error| Failure::new(format!("{}: {}", path.display(), Failure::from_error(&error))))
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.schema {
        let (text, hash) = match args.threats {
            true => (threat_schema_text(), threat_schema_hash()),
            false => (schema_text(), schema_hash()),
        };
        if args.json {
            println!("{}", serde_json::json!({ "schema": text, "schema_hash": format!("{hash:016x}") }));
        } else {
            print!("{text}");
            println!("hash {hash:016x}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.threats {
        return Ok(second_opinion(args));
    }
    let model = match load(args.file.as_ref()) {
        Ok(model) => model,
        Err(refused) => {
            if args.json {
                println!("{}", refused.as_json());
            }
            eprintln!("streamguard: {refused}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let summary: serde_json::Value = serde_json::from_str(&model.summary_json).unwrap_or_default();
    let forest = &model.forest;
    if args.json {
        let document = serde_json::json!({
            "fingerprint": format!("{:016x}", model.fingerprint),
            "schema_hash": format!("{:016x}", schema_hash()),
            "trees": forest.n_trees(), "nodes": forest.n_nodes(), "features": forest.n_features(),
            "session": &model.session, "summary": summary,
        });
        println!("{document}");
    } else {
        println!("model        {:016x}", model.fingerprint);
        println!("schema       {:016x}, {} features", schema_hash(), forest.n_features());
        println!("forest       {} trees, {} nodes", forest.n_trees(), forest.n_nodes());
        println!("trained on   {}", summary["training"]);
        println!("left out     {}", summary["left_out"]);
    }
    Ok(ExitCode::SUCCESS)
}

/// Describes the forest behind the second opinion.
fn second_opinion(args: &Args) -> ExitCode {
    let Some(second) = SecondOpinion::embedded() else {
        eprintln!("streamguard: no second opinion in this program");
        return ExitCode::FAILURE;
    };
    let summary: serde_json::Value = serde_json::from_str(&second.summary_json).unwrap_or_default();
    let (forest, classes) = (&second.forest, Class::ALL.map(Class::name));
    if args.json {
        let document = serde_json::json!({
            "fingerprint": format!("{:016x}", second.fingerprint),
            "schema_hash": format!("{:016x}", threat_schema_hash()),
            "trees": forest.n_trees(), "nodes": forest.n_nodes(), "features": forest.n_features(),
            "classes": classes, "summary": summary,
        });
        println!("{document}");
    } else {
        println!("model        {:016x}", second.fingerprint);
        println!("schema       {:016x}, {} features", threat_schema_hash(), forest.n_features());
        println!("forest       {} trees, {} nodes", forest.n_trees(), forest.n_nodes());
        println!("classes      {}", classes.join(" "));
        println!("trained on   {summary}");
    }
    ExitCode::SUCCESS
}
