//! The OpenAPI document, made from the table of routes and the schemas beside it.
//!
//! Must not know: what serves a route.

use serde_json::{Map, Value, json};

use super::{Content, Route, all};

/// Refusals that any route may give: bad form, too many requests, unknown encoding, storage down.
const ALWAYS: [u16; 4] = [400, 415, 429, 503];
/// Refusals of routes that read a body: it came too slowly.
const WITH_BODY: [u16; 1] = [408];
/// Refusals of routes with login.
const WITH_LOGIN: [u16; 2] = [401, 403];

/// Returns the document.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in all() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tuquan hub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A blind relay: it carries packs that it cannot read. Ids, keys, hashes \
                and signatures are lower-case hexadecimal. Frames are (u32 length, little-endian; \
                bytes)*. Requests carry no Content-Encoding.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, content) in route.answers {
        let mut answer = json!({ "description": "done" });
        if let Some(content) = written(*content) {
            answer["content"] = content;
        }
        responses.insert(status.to_string(), answer);
    }
    let has_body = !matches!(route.body, Content::Empty);
    let mut refusals = [&ALWAYS[..], route.refusals].concat();
    refusals.extend(if has_body { &WITH_BODY[..] } else { &[] });
    refusals.extend(if route.login { &WITH_LOGIN[..] } else { &[] });
    for status in refusals {
        let content = written(Content::Json("Error"));
        let refusal = json!({ "description": "refused, see code", "content": content });
        responses.insert(status.to_string(), refusal);
    }
    let mut operation = json!({
        "summary": route.about, "parameters": parameters(route), "responses": responses,
    });
    if route.login {
        operation["security"] = json!([{ "token": [] }]);
    }
    if let Some(content) = written(route.body) {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path =
        route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let in_query = route.query.iter().map(|(name, about)| {
        let schema = json!({ "type": "string" });
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    });
    in_path.chain(in_query).collect()
}

fn written(content: Content) -> Option<Value> {
    match content {
        Content::Empty => None,
        Content::Json(name) => {
            let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
            Some(json!({ "application/json": { "schema": schema } }))
        }
        Content::Bytes(about) => {
            let schema = json!({ "type": "string", "format": "binary", "description": about });
            Some(json!({ "application/octet-stream": { "schema": schema } }))
        }
        Content::Text => Some(json!({ "text/plain": { "schema": { "type": "string" } } })),
    }
}

fn schemas() -> Value {
    json!({
        "Document": { "type": "object" },
        "Error": object(&json!({ "code": text() }), &json!({ "retry_after_s": number() })),
        "Health": object(&json!({ "status": text() }), &json!({})),
        "Hub": object(
            &json!({ "hub": hex(32), "origin": text(), "versions": list(&number()) }),
            &json!({}),
        ),
        "Asking": object(&json!({ "space": hex(16), "device": hex(32) }), &json!({})),
        "Challenge": object(&json!({ "nonce": hex(32), "expires_s": number() }), &json!({})),
        "Login": object(
            &json!({
                "space": hex(16), "device": hex(32), "nonce": hex(32), "signature": hex(64),
            }),
            &json!({}),
        ),
        "Token": object(&json!({ "token": hex(32), "expires_s": number() }), &json!({})),
        "State": object(
            &json!({
                "digest": hex(32), "acks": hex(32), "packs": number(), "last": number(),
                "epoch": hex(16),
            }),
            &json!({}),
        ),
        "Listing": object(
            &json!({
                "epoch": hex(16),
                "packs": list(&object(
                    &json!({
                        "seq": number(), "id": hex(32), "size": number(), "open": flag(),
                        "receipt": hex(64),
                        "ranges": list(&json!({
                            "type": "array", "prefixItems": [hex(16), number(), number()],
                        })),
                    }),
                    &json!({}),
                )),
                "more": flag(),
            }),
            &json!({}),
        ),
        "Control": object(
            &json!({ "packs": list(&object(&json!({ "id": hex(32), "new": flag() }), &json!({}))) }),
            &json!({}),
        ),
        "Receipts": object(
            &json!({ "receipts": list(&object(
                &json!({ "id": hex(32), "new": flag() }),
                &json!({ "signature": hex(64), "erased": flag() }),
            )) }),
            &json!({}),
        ),
        "Ids": object(&json!({ "ids": list(&hex(32)) }), &json!({})),
        "SignedIds": object(&json!({ "ids": list(&hex(32)), "signature": hex(64) }), &json!({})),
        "Hashes": object(&json!({ "hashes": list(&hex(32)) }), &json!({})),
        "SignedHashes":
            object(&json!({ "hashes": list(&hex(32)), "signature": hex(64) }), &json!({})),
        "Missing": object(&json!({ "missing": list(&hex(32)) }), &json!({})),
        "Deleted": object(&json!({ "deleted": number() }), &json!({})),
    })
}

/// An object with fields that are always there and some that may be.
fn object(always: &Value, sometimes: &Value) -> Value {
    let mut properties = always.clone();
    let required: Vec<&String> =
        always.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    for (name, schema) in sometimes.as_object().into_iter().flatten() {
        properties[name.as_str()] = schema.clone();
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn hex(bytes: usize) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * bytes) })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_every_schema_is_there() {
        let document = document();
        let mut count = 0;
        for route in all() {
            let operation = &document["paths"][route.path][route.method.to_ascii_lowercase()];
            assert!(operation["responses"]["429"].is_object(), "{} {}", route.method, route.path);
            assert_eq!(operation["security"].is_array(), route.login);
            count += 1;
        }
        let paths = document["paths"].as_object().expect("paths");
        let written: usize =
            paths.values().map(|path| path.as_object().expect("methods").len()).sum();
        assert_eq!(written, count, "two routes with the same method and path");
        let text = document.to_string();
        for rest in text.split("#/components/schemas/").skip(1) {
            let name = rest.split('"').next().expect("a name");
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
