//! What `pub` and `sub` are told of the server and of who asks it. Must never take a password from
//! the command line, where everybody on the machine could read it.

use anyhow::{Context, anyhow};
use clap::Args;

use crate::client::http::Server;
use crate::client::login::Login;
use crate::client::tls::Trust;
use crate::client::url::ServerUrl;

/// Where the server is, and who asks it.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server
    #[arg(long, env = "TIDINGS_URL", default_value = "http://127.0.0.1:8080")]
    pub url: ServerUrl,
    /// With https: believe the certificates that come from this PEM file, and no others [default:
    /// what the system believes]
    #[arg(long, value_name = "FILE", env = "TIDINGS_CACERT")]
    pub cacert: Option<Trust>,
    /// Log in as this user; the password is asked for on the terminal [env: TIDINGS_PASSWORD]
    #[arg(long, value_name = "NAME", value_parser = user, conflicts_with = "token")]
    pub user: Option<String>,
    /// Log in with this token; the variable keeps it from others on the machine [env: TIDINGS_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// What follows from both.
    #[arg(skip)]
    login: Option<Login>,
}

impl ServerArgs {
    /// What a client connects to.
    pub(super) fn server(&self) -> Server {
        let ServerArgs { url, cacert, login, .. } = self.clone();
        Server { url, trust: cacert, login }
    }

    /// The same with what proves who asks: the password is found out, once.
    ///
    /// # Errors
    /// There is no password, or what is there cannot be sent.
    pub(super) fn logged_in(self) -> anyhow::Result<ServerArgs> {
        let login = match (&self.user, self.token.clone()) {
            (Some(user), _) => Some(Login::password(user, &password(user)?)),
            (None, token) => {
                token.or_else(|| variable("TIDINGS_TOKEN")).map(|token| Login::token(&token))
            }
        };
        let login = login.transpose().map_err(|why| anyhow!(why))?;
        Ok(ServerArgs { login, ..self })
    }
}

/// Of the environment, or of the terminal, also where standard input is what is to be published.
fn password(user: &str) -> anyhow::Result<String> {
    match variable("TIDINGS_PASSWORD") {
        Some(password) => Ok(password),
        None => rpassword::prompt_password(format!("Password of {user}: "))
            .context("the password cannot be asked for; set TIDINGS_PASSWORD"),
    }
}

/// As with all our variables, an empty one counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn user(text: &str) -> Result<String, String> {
    match text.contains(':') {
        true => Err("no password can be sent for a name with a colon".to_owned()),
        false => Ok(text.to_owned()),
    }
}
