//! The content of an assertion, CBOR or JSON, reduced to the values that are read (pure).

/// A value. Everything but texts and containers is one case, since no reader needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Other,
}

impl Value {
    /// Parses CBOR; `None` if it is invalid, nested too deeply, or followed by more bytes.
    pub(super) fn of_cbor(bytes: &[u8]) -> Option<Value> {
        let mut reader = std::io::Cursor::new(bytes);
        let value: ciborium::Value =
            ciborium::de::from_reader_with_recursion_limit(&mut reader, DEPTH_MAX).ok()?;
        (reader.position() == bytes.len() as u64).then(|| of_cbor(value))
    }

    /// Parses JSON; `None` if it is invalid.
    pub(super) fn of_json(bytes: &[u8]) -> Option<Value> {
        serde_json::from_slice(bytes).ok().map(of_json)
    }

    /// The value of a key of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let Value::Map(pairs) = self else { return None };
        pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Calls `visit` with the key and value of each text in it.
    pub(super) fn each_text(&self, visit: &mut dyn FnMut(&str, &str)) {
        match self {
            Value::List(values) => values.iter().for_each(|value| value.each_text(visit)),
            Value::Map(pairs) => {
                for (key, value) in pairs {
                    match value {
                        Value::Text(text) => visit(key, text),
                        other => other.each_text(visit),
                    }
                }
            }
            Value::Text(_) | Value::Other => {}
        }
    }
}

fn of_cbor(value: ciborium::Value) -> Value {
    match value {
        ciborium::Value::Text(text) => Value::Text(text),
        ciborium::Value::Array(values) => Value::List(values.into_iter().map(of_cbor).collect()),
        ciborium::Value::Map(pairs) => {
            let named = pairs
                .into_iter()
                .filter_map(|(key, value)| Some((key.into_text().ok()?, of_cbor(value))));
            Value::Map(named.collect())
        }
        ciborium::Value::Tag(_, value) => of_cbor(*value),
        _ => Value::Other,
    }
}

fn of_json(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(values) => Value::List(values.into_iter().map(of_json).collect()),
        serde_json::Value::Object(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (key, of_json(value)))
                .collect(),
        ),
        _ => Value::Other,
    }
}

/// Maximum nesting of values.
const DEPTH_MAX: usize = 32;
