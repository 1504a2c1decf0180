//! No function longer than a screen and a half.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

use crate::finding::Finding;
use crate::project::Project;
use crate::source::Source;

const RULE: &str = "function-length";

/// Longest function in lines, from the line of its signature to that of its closing brace.
const MAX_LINES: usize = 70;

/// Finds functions that are too long; tests and generated files apart.
#[must_use]
pub fn check(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in project.production_sources().filter(|source| !source.is_generated) {
        let mut measurer = Measurer { source, findings: &mut findings };
        measurer.visit_file(&source.syntax);
    }
    findings
}

struct Measurer<'a> {
    source: &'a Source,
    findings: &'a mut Vec<Finding>,
}

impl Measurer<'_> {
    fn measure(&mut self, signature: &Signature, body: &Block) {
        let first = signature.span().start().line;
        let last = body.brace_token.span.close().start().line;
        let lines = last - first + 1;
        if lines > MAX_LINES && !self.source.is_test_line(first) {
            let message = format!(
                "`{}` has {lines} lines, {MAX_LINES} are allowed; give its steps names of their own",
                signature.ident
            );
            self.findings.push(Finding::new(&self.source.path, first, RULE, message));
        }
    }
}

impl<'ast> Visit<'ast> for Measurer<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.measure(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.measure(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}
