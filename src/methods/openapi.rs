//! The methods as an OpenAPI 3.1 document, for programs that speak HTTP.
//!
//! Made from the same table as everything else, so that a route without a description, or the reverse, cannot be.

use serde_json::{Map, Value, json};

use super::{Effect, Kind, Method, Need, Param, TABLE};

/// Below this path lie the methods.
pub const ROOT: &str = "/api/v1/";

/// The whole document.
pub fn document() -> Value {
    let paths: Map<String, Value> =
        TABLE.iter().map(|method| (format!("{ROOT}{}", method.name), path(method))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "streamguard",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the household's network does, and what a parent can do about it.",
            "license": { "name": "GPL-2.0-or-later", "identifier": "GPL-2.0-or-later" },
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": { "error": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": { "code": { "type": "string" }, "message": { "type": "string" } },
                    } },
                },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "streamguard" },
            },
        },
    })
}

fn path(method: &Method) -> Value {
    let mut operation = json!({
        "operationId": method.name,
        "summary": method.about,
        "responses": responses(method),
    });
    let verb = match method.effect {
        Effect::Read => {
            operation["parameters"] = method.params.iter().map(query).collect();
            "get"
        }
        Effect::Write => {
            operation["parameters"] = json!([{
                "name": "X-Streamguard", "in": "header", "required": true,
                "description": "any value: a form of another site cannot send it",
                "schema": { "type": "string", "enum": ["1"] },
            }]);
            operation["requestBody"] = json!({
                "required": !method.params.is_empty(),
                "content": { "application/json": { "schema": body(method) } },
            });
            operation["security"] = json!([{ "token": [] }, { "session": [] }, {}]);
            "post"
        }
    };
    json!({ verb: operation })
}

fn query(param: &Param) -> Value {
    json!({
        "name": param.name,
        "in": "query",
        "required": param.need == Need::Required,
        "description": param.about,
        "schema": schema(param),
    })
}

fn body(method: &Method) -> Value {
    let properties: Map<String, Value> = method
        .params
        .iter()
        .map(|param| {
            let mut schema = schema(param);
            schema["description"] = json!(param.about);
            (param.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> =
        method.params.iter().filter(|param| param.need == Need::Required).map(|param| param.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn schema(param: &Param) -> Value {
    match param.kind {
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Text => json!({ "type": "string", "minLength": 1, "maxLength": 256 }),
        Kind::Instant => json!({ "type": "string", "pattern": "^[0-9A-Za-z:+. -]{1,32}$" }),
    }
}

fn responses(method: &Method) -> Value {
    let said = |text: &str| {
        let schema = json!({ "$ref": "#/components/schemas/Error" });
        json!({ "description": text, "content": { "application/json": { "schema": schema } } })
    };
    let mut all = json!({
        "200": {
            "description": "the answer",
            "content": { "application/json": { "schema": { "type": "object" } } },
        },
        "400": said("a parameter is missing or wrong"),
        "401": said("log in first"),
        "403": said("another site, host or origin asks"),
        "404": said("nobody is called that"),
        "405": said("GET reads, POST writes"),
        "409": said("refused in this state"),
        "429": said("too many requests at once"),
        "503": said("the daemon does not answer, or has no history"),
    });
    if method.effect == Effect::Write {
        all["413"] = said("the body is too long");
        all["415"] = said("the body is not application/json");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_described_with_the_verb_that_it_takes() {
        let document = document();
        for method in TABLE {
            let path = &document["paths"][format!("{ROOT}{}", method.name)];
            let verb = if method.effect == Effect::Read { "get" } else { "post" };
            assert_eq!(path[verb]["operationId"], method.name);
            assert_eq!(path.as_object().map(Map::len), Some(1));
        }
    }
}
