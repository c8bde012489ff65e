//! The JSON Schema of reports is made from the types and their docs, and committed.

use std::fs;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Report;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
/// Where this is set, the file is made anew.
const WRITE: &str = "UNIQ_WRITE_SCHEMA";

/// The schema of what the program prints.
fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    let mut schema = schema.to_value();
    without_links(&mut schema);
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// Turns links of the docs into plain words.
fn without_links(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text
                    .replace("[`", "`")
                    .replace("`]", "`")
                    .replace('\n', " ");
            }
            fields.values_mut().for_each(without_links);
        }
        Value::Array(values) => values.iter_mut().for_each(without_links),
        _ => {}
    }
}

#[test]
fn the_schema_of_reports_is_that_of_the_types() {
    let schema = schema();
    if std::env::var_os(WRITE).is_some() {
        fs::write(FILE, schema).unwrap();
        return;
    }
    assert!(
        fs::read_to_string(FILE).unwrap() == schema,
        "{FILE}: not the schema of the types; make it anew with: \
         {WRITE}=1 cargo test --workspace --lib the_schema_of_reports"
    );
}
