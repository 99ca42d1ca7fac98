//! What a parent can do.

use serde_json::{Value, json};

use super::{Call, Failure, Host, Text, failure, present};
use crate::engine::house::Act;
use crate::quota::Who;

pub(super) fn act(host: &mut dyn Host, call: &Call<'_>) -> Result<Text, Failure> {
    let who = present::who(host.house(), call)?;
    let minutes = minutes(call)?;
    let act = match call.method {
        "grant" => {
            Act::Grant { minutes: minutes.ok_or_else(|| failure("bad_params", "minutes are missing"))? }
        }
        "revoke" => Act::Revoke,
        "pause" => Act::Pause { minutes },
        "resume" => Act::Resume,
        _ => Act::Reset,
    };
    host.house_mut().act(act, &who, call.now).map_err(|refused| failure("refused", refused.to_string()))?;
    host.acted(call.now);
    log::info!("{} by user {}", call.method, call.uid);
    let house = host.house();
    Ok(match who {
        Who::Client(client) => {
            json!({ "client": present::shown(house, house.ledger().usage(client)) }).into()
        }
        Who::Profile(_) | Who::All => present::everybody(house),
    })
}

fn minutes(call: &Call<'_>) -> Result<Option<u16>, Failure> {
    let bad = || failure("bad_params", "minutes must be from 1 to 1440");
    let number = call.number("minutes").map_err(|_| bad())?;
    number.map(|number| u16::try_from(number).map_err(|_| bad())).transpose()
}

pub(super) fn reload(host: &mut dyn Host, call: &Call<'_>) -> Result<Value, Failure> {
    host.reload(call.now)?;
    Ok(json!({ "findings": host.findings() }))
}
