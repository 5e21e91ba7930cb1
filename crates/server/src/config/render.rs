//! What `tidings config` prints: every key with its default, as a file that is ready to use.
//! Must never be more than the key table written down.

use super::access::{RULE_KEYS, TOKEN_KEYS, USER_KEYS};
use super::keys::{KEYS, Key, Kind, MATCH, NAMESPACE_KEYS, Table};

const HEAD: &str = "\
# Configuration of Tidings: every key there is, with its default.
# Use it with: tidings serve --config FILE
#
# A command line flag wins over an environment variable, that over this file, this file over the
# defaults. Sizes are \"64MiB\", \"1GB\", \"512KiB\" or bytes; spans \"30s\", \"15m\", \"2h\", \"7d\" or seconds.
";

/// A complete configuration file in TOML that says what is the default anyway.
pub(crate) fn render() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (own_section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if let Kind::Tables(table) = key.kind {
            match table {
                Table::Namespace => namespaces(&mut text, key),
                Table::Rule => tables(&mut text, key, RULE_KEYS),
                Table::User => tables(&mut text, key, USER_KEYS),
                Table::Token => tables(&mut text, key, TOKEN_KEYS),
            }
            continue;
        }
        if own_section != section {
            section = own_section;
            text += &format!("\n[{section}]\n");
        }
        text += &format!("\n# {}\n# Environment: {}\n", key.doc, key.env());
        text += &format!("{name} = {}\n", default(key));
    }
    text
}

/// The tables' example, all commented: their default is that there are none.
fn namespaces(text: &mut String, key: &Key) {
    *text += &format!("\n# {}\n", key.doc);
    *text += &format!("# Environment: {}, holding an array of inline tables:\n", key.env());
    *text += &format!("#   [{{ {MATCH} = \"chat/**\", max_age = \"1h\" }}]\n#\n");
    *text +=
        &format!("# [[{}]]\n# # Topic filter: * is one level, ** the rest. Required.\n", key.path);
    *text += &format!("# {MATCH} = \"chat/**\"\n");
    for key in NAMESPACE_KEYS {
        *text += &format!("# # {}\n# {} = {}\n", key.doc, key.path, default(key));
    }
}

/// The same for tables whose keys have examples instead of defaults.
fn tables<T>(text: &mut String, key: &Key, keys: &[Key<T>]) {
    *text += &format!("\n# {}\n", key.doc);
    *text += &format!("# Environment: {}, holding an array of inline tables\n#\n", key.env());
    *text += &format!("# [[{}]]\n", key.path);
    for key in keys {
        *text += &format!("# # {}\n# {} = {}\n", key.doc, key.path, default(key));
    }
}

fn default<T>(key: &Key<T>) -> String {
    if key.is_text() { format!("\"{}\"", key.default) } else { key.default.to_owned() }
}
