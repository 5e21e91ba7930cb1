//! A Pushlet event: names and values, and how it is written. All values are text.

use tidings_protocol::content;
use tidings_protocol::markup::escape;

/// Longest name of a field, in bytes.
const NAME_MAX: usize = 64;

/// One event, on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// An event of a kind.
    pub(crate) fn new(kind: &str) -> Fields {
        Fields(vec![("p_event".to_owned(), kind.to_owned())])
    }

    /// The event with one more field. The name is known to be one.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Fields {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }

    /// The event with one more field, if there is a value.
    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<impl ToString>) -> Fields {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Writes an empty XML element with an attribute for each field.
    pub(crate) fn write_xml(&self, out: &mut String) {
        out.push_str("<event ");
        for (name, value) in &self.0 {
            out.push_str(name);
            out.push_str("=\"");
            for (index, line) in value.split('\n').enumerate() {
                // A parser makes a space of any other white space (XML 1.0 section 3.3.3).
                if index > 0 {
                    out.push_str("&#10;");
                }
                let mut escaped = String::with_capacity(line.len());
                escape(line, &mut escaped);
                out.push_str(&escaped.replace('\t', "&#9;"));
            }
            out.push_str("\" ");
        }
        out.push_str("/>");
    }

    /// Writes a script that hands the fields to the page around it.
    pub(crate) fn write_script(&self, out: &mut String) {
        out.push_str("<script language=\"JavaScript\">parent.push(");
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('\'');
            out.push_str(name);
            out.push_str("', ");
            write_string(value, out);
        }
        out.push_str(");</script>\n");
    }
}

/// Whether a text can be the name of a field of a message: a simple XML name that neither the
/// protocol nor XML keeps for itself.
pub(crate) fn is_name(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && !lower.starts_with("p_")
        && !lower.starts_with("xml")
}

/// Writes a JavaScript string that can stand in a page.
fn write_string(text: &str, out: &mut String) {
    let mut json = Vec::with_capacity(text.len() + 2);
    content::write_string(text, &mut json);
    for c in String::from_utf8_lossy(&json).chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_they_are() {
        let fields =
            Fields::new("data").with("a", "\"/><x y='\n\t\r\0&").with("b", "</script>\u{2028}\\");
        let mut xml = String::new();
        fields.write_xml(&mut xml);
        assert_eq!(
            xml,
            "<event p_event=\"data\" a=\"&quot;/&gt;&lt;x y=&#39;&#10;&#9;&#13;\u{fffd}&amp;\" \
             b=\"&lt;/script&gt;\u{2028}\\\" />"
        );
        let mut script = String::new();
        fields.write_script(&mut script);
        assert_eq!(
            script,
            "<script language=\"JavaScript\">parent.push('p_event', \"data\",'a', \
             \"\\\"/\\u003e\\u003cx y='\\n\\t\\r\\u0000\\u0026\",'b', \
             \"\\u003c/script\\u003e\\u2028\\\\\");</script>\n"
        );
    }

    #[test]
    fn names_are_simple() {
        for name in ["city", "_a", "a.b-c", "X9", &"x".repeat(NAME_MAX)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "9a",
            "p_event",
            "P_x",
            "xmlns",
            "XML",
            "a b",
            "a'",
            "a:b",
            "ä",
            "a\0",
            &"x".repeat(NAME_MAX + 1),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
