//! `tidings user`: makes what a server is told of a user. Must never print a password, nor take one
//! from the command line, where everybody on the machine could read it.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use tidings_access::{PasswordHash, ScramCredential, Users};

/// Longest line that is read as a password, in bytes: more than a password may have.
const LINE_BYTES_MAX: u64 = 4096;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Print the [[user]] block of a user, whose password is read from the terminal or, where there is
    /// none, from the first line of standard input
    Hash(HashArgs),
}

/// Arguments of `tidings user hash`.
#[derive(Debug, Args)]
pub(crate) struct HashArgs {
    /// The user's name
    #[arg(value_parser = name)]
    name: String,
    /// A group of the user; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(command: &UserCommand) -> anyhow::Result<ExitCode> {
    let UserCommand::Hash(HashArgs { name, groups }) = command;
    let password = password(name)?;
    print!("{}", block(name, groups, &password, rand::random(), rand::random())?);
    Ok(ExitCode::SUCCESS)
}

/// What a file of users has of one.
fn block(
    name: &str,
    groups: &[String],
    password: &str,
    salt: [u8; 16],
    scram_salt: [u8; 16],
) -> anyhow::Result<String> {
    let hash = PasswordHash::of(password.as_bytes(), salt)?;
    let scram = ScramCredential::of(password, &scram_salt);
    let text = |text: &str| toml::Value::from(text).to_string();
    let mut block = format!("[[user]]\nname = {}\n", text(name));
    block += &format!("password = {}\nscram = {}\n", text(hash.as_str()), text(&scram.to_string()));
    if !groups.is_empty() {
        let groups: Vec<String> = groups.iter().map(|group| text(group)).collect();
        block += &format!("groups = [{}]\n", groups.join(", "));
    }
    Ok(block)
}

fn password(name: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        let read = |prompt: String| {
            rpassword::prompt_password(prompt).context("the password could not be read")
        };
        let password = read(format!("Password of {name}: "))?;
        if read("Once more: ".to_owned())? != password {
            bail!("the two are not the same; try again");
        }
        return Ok(password);
    }
    let mut line = String::new();
    let mut input = io::Read::take(io::stdin().lock(), LINE_BYTES_MAX);
    input.read_line(&mut line).context("the password could not be read as UTF-8")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}

fn name(text: &str) -> Result<String, String> {
    Users::check_name(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_users;

    #[test]
    fn what_is_printed_is_a_user() {
        let groups = ["staff".to_owned(), "a \"b\"".to_owned()];
        let block = block("k\u{e4}the \"x\"", &groups, "pencil", [1; 16], [2; 16]).unwrap();
        assert!(!block.contains("pencil"));
        let path = std::env::temp_dir().join(format!("tidings-user-{}.toml", std::process::id()));
        std::fs::write(&path, &block).unwrap();
        let users = read_users(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let [user] = &users[..] else { panic!("{block}") };
        assert_eq!(&*user.name, "k\u{e4}the \"x\"");
        assert_eq!(user.groups, groups.map(Box::<str>::from).into());
        assert!(user.password.as_ref().is_some_and(|hash| hash.fits(b"pencil")));
        assert_eq!(user.scram, Some(ScramCredential::of("pencil", &[2; 16])));
        assert!(super::block("a", &[], "", [1; 16], [2; 16]).is_err());
    }
}
