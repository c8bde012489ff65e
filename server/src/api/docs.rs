//! The documentation of the interface as a page for people, made from the OpenAPI document.

use askama::Template;
use axum::http::{HeaderName, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// An operation on the page.
struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    text: Vec<String>,
    needs_key: bool,
    parameters: Vec<Parameter>,
    body: Option<String>,
    answers: Vec<(String, String, String)>,
}

/// A parameter: its name, location, type and description.
struct Parameter {
    name: String,
    place: String,
    kind: String,
    text: String,
}

/// A part of the interface.
struct Part {
    name: String,
    text: String,
    operations: Vec<Operation>,
}

/// A type used in bodies.
struct Schema {
    name: String,
    text: String,
    fields: Vec<Parameter>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    title: String,
    text: String,
    parts: Vec<Part>,
    schemas: Vec<Schema>,
    style: &'static str,
}

/// The page at `/docs`.
pub async fn page() -> Response {
    let Ok(document) = serde_json::to_value(super::router().get_openapi()) else {
        return Problem::internal().into_response();
    };
    let Ok(html) = page_of(&document).render() else {
        return Problem::internal().into_response();
    };
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let policy_header = HeaderName::from_static("content-security-policy");
    (
        [
            (policy_header, policy),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
        ],
        Html(html),
    )
        .into_response()
}

fn page_of(document: &Value) -> Page {
    let parts = list(&document["tags"]).map(|tag| Part {
        name: text(&tag["name"]),
        text: text(&tag["description"]),
        operations: operations(document, &tag["name"]),
    });
    let schemas = document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| Schema {
            name: name.clone(),
            text: text(&schema["description"]),
            fields: fields(schema),
        });
    Page {
        title: text(&document["info"]["title"]),
        text: text(&document["info"]["description"]),
        parts: parts.filter(|part| !part.operations.is_empty()).collect(),
        schemas: schemas.collect(),
        style: STYLE,
    }
}

fn operations(document: &Value, tag: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in ["get", "post", "put", "patch", "delete", "head", "options"] {
            let operation = &item[method];
            if !list(&operation["tags"]).any(|one| one == tag) {
                continue;
            }
            let body = operation["requestBody"]["content"]
                .as_object()
                .and_then(|content| content.iter().next());
            let answers = operation["responses"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(status, answer)| {
                    let kind = answer["content"]
                        .as_object()
                        .and_then(|content| content.values().next());
                    (
                        status.clone(),
                        text(&answer["description"]),
                        kind.map_or_else(String::new, |kind| kind_of(&kind["schema"])),
                    )
                });
            found.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
                text: text(&operation["description"])
                    .split("\n\n")
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
                needs_key: operation["security"] != serde_json::json!([{}]),
                parameters: list(&operation["parameters"])
                    .map(|parameter| Parameter {
                        name: text(&parameter["name"]),
                        place: text(&parameter["in"]),
                        kind: kind_of(&parameter["schema"]),
                        text: text(&parameter["description"]),
                    })
                    .collect(),
                body: body.map(|(media, content)| match kind_of(&content["schema"]) {
                    kind if media == "application/json" => kind,
                    _ => media.clone(),
                }),
                answers: answers.collect(),
            });
        }
    }
    found
}

fn fields(schema: &Value) -> Vec<Parameter> {
    if let Some(words) = schema["enum"].as_array() {
        let word = |word: &Value| Parameter {
            name: text(word),
            place: String::new(),
            kind: String::new(),
            text: String::new(),
        };
        return words.iter().map(word).collect();
    }
    let parts: Vec<&Value> = list(&schema["allOf"]).chain([schema]).collect();
    let properties = parts
        .iter()
        .filter_map(|part| part["properties"].as_object())
        .flatten();
    let field = |(name, property): (&String, &Value)| Parameter {
        name: name.clone(),
        place: String::new(),
        kind: kind_of(property),
        text: text(&property["description"]),
    };
    properties.map(field).collect()
}

/// The type of a schema in a word.
fn kind_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(one) = list(&schema["oneOf"]).find(|one| one["type"] != "null") {
        return kind_of(one);
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", kind_of(&schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds
            .iter()
            .find(|kind| *kind != "null")
            .map_or_else(String::new, text),
        _ => String::new(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const STYLE: &str = include_str!("../../templates/docs.css");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_each_operation_of_the_description() {
        let document = serde_json::to_value(crate::api::router().get_openapi()).unwrap();
        let page = page_of(&document);
        let shown: usize = page.parts.iter().map(|part| part.operations.len()).sum();
        let methods = ["get", "post", "put", "patch", "delete", "head", "options"];
        let paths = document["paths"].as_object().unwrap().values();
        let described: usize = paths
            .map(|item| {
                methods
                    .iter()
                    .filter(|method| item.get(**method).is_some())
                    .count()
            })
            .sum();
        assert_eq!(shown, described);
        assert!(
            page.render()
                .unwrap()
                .contains("/v1/submissions/{id}/report")
        );
    }
}
