//! `cargo xtask tidy`: rules of the house that can be read off the tree, one file a rule.
//!
//! It must never need the code to compile, the network, or more than a second.

mod code;
mod determinism;
mod errors;
mod header;
mod imports;
mod leftovers;
mod length;
mod links;
mod manifest;
mod places;
mod registry;
mod silencing;
mod tree;

use std::fmt;

use anyhow::bail;
use tree::Tree;

use crate::say;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    level: Level,
    /// What is wrong, and what to do.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Fails the check.
    Error,
    /// Is shown only.
    Warning,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl ToString) -> Finding {
        Finding { path: path.to_owned(), line, level: Level::Error, text: text.to_string() }
    }

    fn warning(path: &str, line: usize, text: impl ToString) -> Finding {
        Finding { level: Level::Warning, ..Finding::new(path, line, text) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Every rule; each file says what its rule is and why.
const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    imports::check,
    header::check,
    length::check,
    registry::check,
    determinism::check,
    silencing::check,
    leftovers::check,
    places::check,
    links::check,
    errors::check,
];

/// Checks the tree in the current folder.
pub(crate) fn run() -> anyhow::Result<()> {
    let tree = Tree::read()?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        match finding.level {
            Level::Error => println!("{finding}"),
            Level::Warning => say::warning(&finding.to_string()),
        }
    }
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    let (files, rules, warnings) = (tree.files.len(), RULES.len(), findings.len() - errors);
    println!("{files} files, {rules} rules: {errors} errors, {warnings} warnings");
    if errors > 0 {
        bail!("{errors} places break the rules of the house");
    }
    Ok(())
}

/// What a rule finds in a tree made up of these files, as `path:line`.
#[cfg(test)]
fn found(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    let findings = rule(&Tree::of(files));
    findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect()
}
