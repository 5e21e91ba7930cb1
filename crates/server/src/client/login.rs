//! What a client says of who it is, with each request. Must never let it be printed.

use ::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Credentials, as a request brings them.
#[derive(Clone, Debug)]
pub(crate) struct Login(HeaderValue);

impl Login {
    /// A user's name, which has no colon, and the password (RFC 7617).
    ///
    /// # Errors
    /// One line of why not.
    pub(crate) fn password(user: &str, password: &str) -> Result<Login, String> {
        Login::new(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// A token (RFC 6750).
    ///
    /// # Errors
    /// One line of why not.
    pub(crate) fn token(token: &str) -> Result<Login, String> {
        Login::new(&format!("Bearer {}", token.trim()))
    }

    fn new(value: &str) -> Result<Login, String> {
        let value = HeaderValue::from_str(value);
        let mut value = value.map_err(|_| "a token has no such characters".to_owned())?;
        value.set_sensitive(true);
        Ok(Login(value))
    }

    /// The value of the header field `Authorization`.
    pub(super) fn authorization(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_and_not_shown() {
        for (login, sent) in [
            (Login::password("ann", "apple:pie"), "Basic YW5uOmFwcGxlOnBpZQ=="),
            (Login::token(" a.b.c\n"), "Bearer a.b.c"),
        ] {
            let login = login.unwrap();
            assert_eq!(login.authorization(), sent);
            assert_eq!(format!("{login:?}"), "Login(Sensitive)");
        }
        assert!(Login::token("a\nb").is_err());
    }
}
