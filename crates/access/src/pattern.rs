//! Topic filters of rules, in which `{user}` and `{client}` stand for whoever the rule is applied to.
//! Must never let a name stand for more than one level, or for a wildcard.

use tidings_model::{FilterError, TopicFilter};

use crate::rules::Subject;

/// A topic filter with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no filter either.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A placeholder beside other characters in a level.
    #[error("`{0}` must be a whole level: `inbox/{0}`, not `inbox-{0}`")]
    PartialPlaceholder(&'static str),
}

const USER: &str = "{user}";
const CLIENT: &str = "{client}";

impl Pattern {
    /// Checks `text` and makes it a pattern.
    ///
    /// # Errors
    /// It is no filter, or a placeholder is not a level of its own.
    pub fn new(text: &str) -> Result<Pattern, PatternError> {
        TopicFilter::new(text)?;
        for level in text.split('/') {
            let partial = [USER, CLIENT].into_iter().find(|p| level.contains(p) && level != *p);
            if let Some(placeholder) = partial {
                return Err(PatternError::PartialPlaceholder(placeholder));
            }
        }
        Ok(Pattern(text.into()))
    }

    /// The filter it is for `subject`; nothing when a placeholder has nothing to stand for, or a name
    /// that would be more than one plain level.
    pub fn fill(&self, subject: &Subject<'_>) -> Option<TopicFilter> {
        let mut filled = String::with_capacity(self.0.len());
        for level in self.0.split('/') {
            if !filled.is_empty() {
                filled.push('/');
            }
            filled.push_str(match level {
                USER => plain(subject.user)?,
                CLIENT => plain(subject.client)?,
                level => level,
            });
        }
        TopicFilter::new(&filled).ok()
    }

    /// Whether it is the same for everybody.
    pub fn is_constant(&self) -> bool {
        !self.0.split('/').any(|level| matches!(level, USER | CLIENT))
    }
}

fn plain(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty() && !name.contains(['/', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str, user: Option<&str>, client: Option<&str>) -> Option<String> {
        let subject = Subject { user, client, groups: &[] };
        let filter = Pattern::new(pattern).unwrap().fill(&subject);
        filter.map(|filter| filter.to_string())
    }

    #[test]
    fn placeholders_stand_for_one_level() {
        assert_eq!(filled("inbox/{user}/**", Some("ann"), None).unwrap(), "inbox/ann/**");
        assert_eq!(filled("{client}/{user}", Some("ann"), Some("c1")).unwrap(), "c1/ann");
        assert_eq!(filled("chat/*", None, None).unwrap(), "chat/*");
        for name in ["*", "**", "a/b", "a*", "/", "", ".", ".."] {
            let filter = filled("inbox/{user}", Some(name), None);
            assert!(filter.is_none_or(|filter| filter == format!("inbox/{name}")), "{name:?}");
            if name.contains(['*', '/']) || name.is_empty() {
                assert_eq!(filled("inbox/{user}/x", Some(name), None), None, "{name:?}");
            }
        }
        assert_eq!(filled("inbox/{user}", None, Some("c")), None);
        // A name that looks like a placeholder is only a name.
        assert_eq!(filled("{user}/a", Some("{client}"), Some("c")).unwrap(), "{client}/a");
    }

    #[test]
    fn texts_that_are_no_patterns() {
        let partial = Err(PatternError::PartialPlaceholder("{user}"));
        assert_eq!(Pattern::new("inbox-{user}"), partial);
        assert!(Pattern::new("a//{user}").is_err());
        assert!(!Pattern::new("{user}").unwrap().is_constant());
        assert!(Pattern::new("{other}").unwrap().is_constant());
    }
}
