//! Reads JSON from strangers strictly: no repeated name in an object, and nothing after the end.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one value. The error says what is wrong, and where if known.
///
/// If a name is repeated that it does not know, `serde_json` keeps the last value, and other
/// parsers keep the first. So repeated names are searched for in all objects, after decoding
/// escapes.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Strict(value) = serde_json::from_slice(bytes).map_err(|error| {
        format!("it is not valid JSON: {error}; get a complete copy of the file")
    })?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A field that may be null but must not be missing.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Strict, D::Error> {
        from.deserialize_any(Values).map(Strict)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            if fields.contains_key(&name) {
                return Err(A::Error::custom(format!("the field {name:?} occurs twice")));
            }
            let Strict(value) = from.next_value()?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (text, why) in [
            (r#"{"a":1,"a":1}"#, "twice"),
            (r#"{"a":1,"\u0061":2}"#, "twice"),
            (r#"[{"b":{"a":1,"a":2}}]"#, "twice"),
            (r#"{"a":1}{}"#, "trailing"),
            (r#"{"a":1} x"#, "trailing"),
            (r#"{"a":1,}"#, "trailing"),
            (r#"{'a':1}"#, "key"),
            ("{\"a\":\"\n\"}", "control"),
            (r#"{"a":NaN}"#, "expected"),
            (r#"{"a":1e999}"#, "range"),
            (r#"{"a":"\ud800"}"#, "escape"),
            ("\u{feff}{}", "expected"),
            ("{\"a\":\"\u{0}\"}", "control"),
            ("", "EOF"),
        ] {
            let error = parse::<Value>(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(parse::<Value>(b"{\"a\":\"\xff\"}").is_err());
        assert!(
            parse::<Value>(&b"[".repeat(100_000))
                .unwrap_err()
                .contains("recursion")
        );
        assert_eq!(
            parse::<Value>(br#" {"b":[1,-2,null,true,"x"]} "#).unwrap()["b"][1],
            -2
        );
    }
}
