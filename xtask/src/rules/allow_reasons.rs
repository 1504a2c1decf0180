//! A lint is switched off with a reason or not at all.

use crate::finding::Finding;
use crate::project::Project;
use crate::tokens::{Token, begins_with, inside_bracket};

const RULE: &str = "allow-reasons";

/// Finds `#[allow(…)]`, in tests too, that does not say why.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in project.sources.values() {
        for index in 0..source.tokens.len() {
            let Some(attribute) = attribute_at(&source.tokens[index..]) else { continue };
            for line in allows_without_reason(attribute) {
                let message = "a lint is allowed without a reason; add `reason = \"…\"` or mend what it finds";
                findings.push(Finding::new(&source.path, line, RULE, message));
            }
        }
    }
    findings
}

/// The tokens inside `#[…]` or `#![…]`, if one begins here.
fn attribute_at(tokens: &[Token]) -> Option<&[Token]> {
    let bracket = if begins_with(tokens, &["#", "["]) {
        1
    } else if begins_with(tokens, &["#", "!", "["]) {
        2
    } else {
        return None;
    };
    Some(inside_bracket(&tokens[bracket..]))
}

/// Lines of `allow(…)`, also within `cfg_attr(…)`, that give no reason.
fn allows_without_reason(attribute: &[Token]) -> Vec<usize> {
    let starts = (0..attribute.len()).map(|index| &attribute[index..]);
    starts
        .filter(|tokens| begins_with(tokens, &["allow", "("]))
        .filter(|tokens| !inside_bracket(&tokens[1..]).windows(2).any(|pair| begins_with(pair, &["reason", "="])))
        .map(|tokens| tokens[0].line)
        .collect()
}
