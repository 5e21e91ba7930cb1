//! Rules: who may publish and read what. They only ever grant; whatever none of them grants is
//! refused.

use std::str::FromStr;

use tidings_model::TopicFilter;

use crate::identity::Grants;
use crate::pattern::Pattern;

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever connects.
    Everybody,
    /// Whoever brings no credentials.
    Anonymous,
    /// Whoever has proved to be somebody.
    Authenticated,
    /// The user of this name.
    User(Box<str>),
    /// Every user of this group.
    Group(Box<str>),
}

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names nobody")]
pub struct WhoError;

impl FromStr for Who {
    type Err = WhoError;

    fn from_str(text: &str) -> Result<Who, WhoError> {
        match text {
            "*" => Ok(Who::Everybody),
            "anonymous" => Ok(Who::Anonymous),
            "authenticated" => Ok(Who::Authenticated),
            _ => match text.split_once(':') {
                Some(("user", name)) if !name.is_empty() => Ok(Who::User(name.into())),
                Some(("group", name)) if !name.is_empty() => Ok(Who::Group(name.into())),
                _ => Err(WhoError),
            },
        }
    }
}

/// What some may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Whom it is for; whoever one of these names.
    pub who: Vec<Who>,
    /// Topics that they may publish to.
    pub publish: Vec<Pattern>,
    /// Topics that they may read.
    pub subscribe: Vec<Pattern>,
}

/// Somebody to whom rules are applied.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The user's name; nothing for who brought no credentials.
    pub user: Option<&'a str>,
    /// The groups of the user.
    pub groups: &'a [Box<str>],
    /// What the client calls itself, where its protocol has such a name. Proves nothing.
    pub client: Option<&'a str>,
}

impl Who {
    fn is(&self, subject: &Subject<'_>) -> bool {
        match self {
            Who::Everybody => true,
            Who::Anonymous => subject.user.is_none(),
            Who::Authenticated => subject.user.is_some(),
            Who::User(name) => subject.user == Some(name),
            Who::Group(name) => subject.user.is_some() && subject.groups.contains(name),
        }
    }
}

/// Every rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(pub Vec<Rule>);

impl Rules {
    /// What the rules grant to `subject`.
    pub fn grants(&self, subject: &Subject<'_>) -> Grants {
        let mut grants = Grants::default();
        for rule in self.0.iter().filter(|rule| rule.who.iter().any(|who| who.is(subject))) {
            grants.publish.extend(rule.publish.iter().filter_map(|pattern| pattern.fill(subject)));
            grants.subscribe.extend(rule.subscribe.iter().filter_map(|p| p.fill(subject)));
        }
        grants
    }

    /// Whether everybody, credentials or not, may read all that `filter` matches.
    pub fn is_public(&self, filter: &TopicFilter) -> bool {
        let nobody = Subject { user: None, groups: &[], client: None };
        let public = self.0.iter().filter(|rule| rule.who.contains(&Who::Everybody));
        let mut patterns = public.flat_map(|rule| &rule.subscribe).filter(|p| p.is_constant());
        patterns.any(|pattern| pattern.fill(&nobody).is_some_and(|grant| grant.covers(filter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(who: &[&str], publish: &[&str], subscribe: &[&str]) -> Rule {
        let patterns = |texts: &[&str]| texts.iter().map(|t| Pattern::new(t).unwrap()).collect();
        Rule {
            who: who.iter().map(|text| text.parse().unwrap()).collect(),
            publish: patterns(publish),
            subscribe: patterns(subscribe),
        }
    }

    fn rules() -> Rules {
        Rules(vec![
            rule(&["*"], &[], &["news/**"]),
            rule(&["anonymous"], &["guestbook"], &[]),
            rule(&["authenticated"], &[], &["inbox/{user}/**"]),
            rule(&["user:ann", "group:staff"], &["news/**"], &[]),
        ])
    }

    fn texts(filters: &[TopicFilter]) -> Vec<&str> {
        filters.iter().map(TopicFilter::as_str).collect()
    }

    #[test]
    fn whom_a_rule_is_for() {
        let staff = [Box::from("staff")];
        for (user, groups, publish, subscribe) in [
            (None, &[][..], &["guestbook"][..], &["news/**"][..]),
            (None, &staff, &["guestbook"], &["news/**"]),
            (Some("ann"), &[], &["news/**"], &["news/**", "inbox/ann/**"]),
            (Some("bob"), &[], &[], &["news/**", "inbox/bob/**"]),
            (Some("bob"), &staff, &["news/**"], &["news/**", "inbox/bob/**"]),
            (Some("anonymous"), &[], &[], &["news/**", "inbox/anonymous/**"]),
        ] {
            let grants = rules().grants(&Subject { user, groups, client: None });
            assert_eq!(texts(&grants.publish), publish, "{user:?}");
            assert_eq!(texts(&grants.subscribe), subscribe, "{user:?}");
        }
    }

    #[test]
    fn what_everybody_may_read() {
        for (text, public) in [("news/a", true), ("news/**", true), ("**", false), ("inbox", false)]
        {
            assert_eq!(rules().is_public(&TopicFilter::new(text).unwrap()), public, "{text}");
        }
    }

    #[test]
    fn texts_that_name_nobody() {
        for text in ["", "ann", "user:", "group:", "role:x", "everybody", "User:ann"] {
            assert_eq!(text.parse::<Who>(), Err(WhoError), "{text}");
        }
    }
}
