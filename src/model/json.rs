//! Parsing JSON in the dialect of Python.

use serde_json::Value;

use crate::text::without_bom;

/// Parses UTF-8 JSON, with or without a byte order mark. Accepts the `Infinity` and `-Infinity` that Python's `json` module writes:
/// they become ±1e308, because JSON has no infinite numbers.
///
/// # Errors
/// If the bytes are not UTF-8 or not JSON.
pub fn parse_json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let bytes = without_bom(bytes);
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) => match std::str::from_utf8(bytes) {
            Ok(text) if text.contains(INFINITY) => serde_json::from_str(&finite_numbers(text)),
            _ => Err(error),
        },
    }
}

const INFINITY: &str = "Infinity";

/// Replaces `Infinity` outside strings. A sign before it is kept.
fn finite_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if !in_string && let Some(after) = rest.strip_prefix(INFINITY) {
            out.push_str("1e308");
            rest = after;
            continue;
        }
        match next {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && next == '\\' && !escaped;
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn infinite_numbers_become_the_largest_finite_ones() {
        let text = r#"{"low": -Infinity, "high": Infinity, "list": [Infinity]}"#;
        let expected = json!({"low": -1e308, "high": 1e308, "list": [1e308]});
        assert_eq!(parse_json(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn infinity_inside_a_string_is_kept_even_after_escaped_quotes() {
        let text = r#"{"a \" Infinity": "\\", "b": "Infinity \" Infinity", "c": -Infinity}"#;
        let expected = json!({"a \" Infinity": "\\", "b": "Infinity \" Infinity", "c": -1e308});
        assert_eq!(parse_json(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn text_that_is_not_utf_8_is_an_error() {
        parse_json(b"{\"a\": \"\xff Infinity\"}").unwrap_err();
        parse_json(b"\xff").unwrap_err();
    }

    proptest! {
        #[test]
        fn any_string_survives(text in ".*") {
            let value = json!({ "key": text, "number": 1 });
            let python = value.to_string().replace(":1}", ":Infinity}");
            let parsed = parse_json(python.as_bytes()).unwrap();
            prop_assert_eq!(&parsed["key"], &value["key"]);
            prop_assert_eq!(&parsed["number"], &json!(1e308));
        }
    }
}
