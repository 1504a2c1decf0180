//! A Rust file, parsed, that knows which of its lines are test code.

use std::ops::RangeInclusive;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta};

use crate::tokens::{Token, flatten};

/// Written within the first lines of a file that no person edits; such a file may be of any length.
const GENERATED_MARK: &str = "@generated";
/// How many lines from the top the mark is looked for.
const GENERATED_MARK_LINES: usize = 5;

/// A parsed Rust file.
pub struct Source {
    /// Path relative to the workspace root.
    pub path: String,
    /// The syntax tree, with positions.
    pub syntax: syn::File,
    /// The same file as flat tokens, insides of macro calls included.
    pub tokens: Vec<Token>,
    /// Whether the whole file is test code.
    pub is_test: bool,
    /// Whether the file says that a program wrote it.
    pub is_generated: bool,
    line_count: usize,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// Parses `text`.
    ///
    /// # Errors
    /// The line and what the parser says when this is not Rust.
    pub fn parse(path: &str, text: &str) -> Result<Self, (usize, String)> {
        let describe = |error: syn::Error| (error.span().start().line, error.to_string());
        let syntax = syn::parse_file(text).map_err(describe)?;
        let stream: TokenStream = syn::parse_str(text).map_err(describe)?;
        let mut finder = TestFinder { ranges: Vec::new() };
        finder.visit_file(&syntax);
        Ok(Self {
            path: path.to_owned(),
            is_test: is_test_path(path) || has_test_attribute(&syntax.attrs),
            is_generated: is_generated(text),
            line_count: text.lines().count(),
            test_lines: finder.ranges,
            tokens: flatten(stream),
            syntax,
        })
    }

    /// Whether the line, counted from 1, is test code.
    #[must_use]
    pub fn is_test_line(&self, line: usize) -> bool {
        self.is_test || self.test_lines.iter().any(|range| range.contains(&line))
    }

    /// Lines that are not test code.
    #[must_use]
    pub fn production_lines(&self) -> usize {
        (1..=self.line_count).filter(|line| !self.is_test_line(*line)).count()
    }
}

/// Whether a file says near its top that a program wrote it.
#[must_use]
pub fn is_generated(text: &str) -> bool {
    text.lines().take(GENERATED_MARK_LINES).any(|line| line.contains(GENERATED_MARK))
}

/// Whether the attributes keep an item out of ordinary builds: `#[cfg(test)]`, `#[cfg(all(test, …))]`,
/// `#[test]` or a runner's own, such as `#[tokio::test]`. `any(test, …)` does not: it ships.
#[must_use]
pub fn has_test_attribute(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.is_ident("cfg") {
            return attribute.parse_args::<Meta>().is_ok_and(|condition| requires_test(&condition));
        }
        path.segments.last().is_some_and(|last| last.ident == "test")
    })
}

fn requires_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
            .is_ok_and(|parts| parts.iter().any(requires_test)),
        _ => false,
    }
}

fn is_test_path(path: &str) -> bool {
    let mut folders = path.rsplit('/').skip(1);
    folders.any(|folder| folder == "tests" || folder == "benches") || path.ends_with("/tests.rs")
}

/// Collects the line ranges of everything with a test attribute.
struct TestFinder {
    ranges: Vec<RangeInclusive<usize>>,
}

impl TestFinder {
    fn note(&mut self, attributes: &[Attribute], node: &impl Spanned) {
        if has_test_attribute(attributes) {
            let span = node.span();
            self.ranges.push(span.start().line..=span.end().line);
        }
    }
}

impl<'ast> Visit<'ast> for TestFinder {
    fn visit_item(&mut self, item: &'ast Item) {
        self.note(item_attributes(item), item);
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        self.note(attributes, item);
        visit::visit_impl_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.note(&field.attrs, field);
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.note(&variant.attrs, variant);
        visit::visit_variant(self, variant);
    }

    fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
        self.note(&value.attrs, value);
        visit::visit_field_value(self, value);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.note(&arm.attrs, arm);
        visit::visit_arm(self, arm);
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.note(&local.attrs, local);
        visit::visit_local(self, local);
    }
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
