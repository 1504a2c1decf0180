//! Comparing a report with what somebody else computed.

use std::path::Path;

use serde_json::Value;

use crate::exact::Exact;
use crate::failure::Failure;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// How many values were compared.
    pub(super) compared: u64,
    /// Each value that differs, by its path.
    pub(super) differences: Vec<String>,
}

/// Reads a file of expected values.
pub(super) fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read the expected values in {}: {error}", path.display())))?;
    serde_json::from_slice(&text)
        .map_err(|error| Failure::usage(format!("{} holds no JSON with expected values: {error}", path.display())))
}

/// Compares every value that `expected` names; what it does not name is not looked at. A name that the report
/// does not have is a difference: a value that nobody checked must not pass for a good one.
pub(super) fn compare(expected: &Value, actual: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    walk("", expected, Some(actual), &mut comparison);
    comparison
}

fn walk(path: &str, expected: &Value, actual: Option<&Value>, comparison: &mut Comparison) {
    match (expected, actual) {
        (Value::Object(fields), _) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, value, actual.and_then(|actual| actual.get(name)), comparison);
            }
        }
        (Value::Array(values), Some(Value::Array(others))) if values.len() == others.len() => {
            for (at, (value, other)) in values.iter().zip(others).enumerate() {
                walk(&format!("{path}.{at}"), value, Some(other), comparison);
            }
        }
        (value, None) => {
            comparison.compared += 1;
            comparison.differences.push(format!("{path}: expected {value}, the report has no such value"));
        }
        (value, Some(other)) => {
            comparison.compared += 1;
            if !is_same(value, other) {
                comparison.differences.push(format!("{path}: expected {value}, got {other}"));
            }
        }
    }
}

/// Sums are text, with or without zeros at the end.
fn is_same(expected: &Value, actual: &Value) -> bool {
    let exact = |value: &Value| value.as_str().and_then(Exact::parse);
    expected == actual || exact(expected).is_some_and(|sum| exact(actual) == Some(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_named_is_compared() {
        let actual = json!({"lines": 5, "sum": "1.10", "sales": {"max": "7.00", "p": [1, 2]}, "more": true});
        for (expected, compared, differences) in [
            (json!({"lines": 5, "sum": "1.1", "sales": {"max": "7", "p": [1, 2]}}), 5, vec![]),
            (json!({"lines": 6}), 1, vec!["lines: expected 6, got 5"]),
            (json!({"sum": "1.101"}), 1, vec!["sum: expected \"1.101\", got \"1.10\""]),
            (json!({"sales": {"p": [1, 3]}}), 2, vec!["sales.p.1: expected 3, got 2"]),
            (json!({"sales": {"p": [1]}}), 1, vec!["sales.p: expected [1], got [1,2]"]),
            (json!({"sales": {"q": 1}}), 1, vec!["sales.q: expected 1, the report has no such value"]),
            (json!({"a": {"b": {"c": 1}}}), 1, vec!["a.b.c: expected 1, the report has no such value"]),
        ] {
            let found = compare(&expected, &actual);
            assert_eq!(
                (found.compared, found.differences),
                (compared, differences.iter().map(|one| one.to_string()).collect())
            );
        }
    }
}
