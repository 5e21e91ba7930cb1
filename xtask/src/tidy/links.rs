//! Rule: a link in the documentation that stays in the tree leads somewhere.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    pages.flat_map(|page| check_page(tree, page)).collect()
}

fn check_page(tree: &Tree, page: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let broken =
                targets(line).into_iter().filter(|target| !leads_somewhere(tree, page, target));
            findings.extend(broken.map(|target| {
                let text = format!("the link to {target} leads nowhere; correct or remove it");
                Finding::new(&page.path, number, text)
            }));
        }
    }
    findings
}

/// The targets of `[text](target)` and `[name]: target` that are not within backticks.
fn targets(line: &str) -> Vec<String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let inline = prose.match_indices("](").map(|(at, opening)| &prose[at + opening.len()..]);
    let inline = inline.filter_map(|rest| rest.split(')').next());
    let definition = prose.starts_with('[').then(|| prose.split_once("]: ")).flatten();
    let all = inline.chain(definition.map(|(_, target)| target));
    // A title may follow: `(target "title")`.
    all.filter_map(|target| target.split_whitespace().next()).map(str::to_owned).collect()
}

fn leads_somewhere(tree: &Tree, page: &File, target: &str) -> bool {
    let target = target.split('#').next().unwrap_or_default();
    // Another place of the same page, or another site (RFC 3986 section 3.1: a scheme).
    if target.is_empty() || target.contains(':') {
        return true;
    }
    resolve(&page.path, target).is_some_and(|path| path.is_empty() || tree.has(&path))
}

/// The path from the root that a page means by a relative one; nothing if it leaves the tree.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let page = "[a](http.md#errors) [b](../README.md) [c](../crates/) [d](#here)\n\
            [e](https://example.org/x) [f](gone.md), `[g](gone.md)`\n\
            ```\n[h](gone.md)\n```\n[i]: gone.md\n[j](../../out.md)\n[k](../README.md \"title\")\n";
        let files = [
            ("docs/page.md", page),
            ("docs/http.md", ""),
            ("README.md", "[l](docs/page.md) [m](docs/gone.md)"),
            ("crates/x/src/lib.rs", "//! [n](gone.md)"),
        ];
        let expected = ["docs/page.md:2", "docs/page.md:6", "docs/page.md:7", "README.md:1"];
        assert_eq!(found(check, &files), expected);
    }
}
