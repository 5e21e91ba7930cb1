//! Running other programs: shown as they could be typed, and their failure an error.
//!
//! It must never pass text through a shell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// A command with its arguments.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The cargo that runs this program, so that its toolchain is the same.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// Runs a command to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    crate::say::command(&shown);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// What a command writes to its standard output; nothing if it cannot be run or fails.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = answer(&mut cargo(["metadata", "--no-deps", "--format-version", "1"]))
        .context("`cargo metadata` failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    Ok(target.context("`cargo metadata` names no target folder")?.into())
}

/// Where a program is that is found by its bare name.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The command as one types it: environment, program, arguments.
fn shown(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program.to_string_lossy().into_owned()];
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    set.chain(words).chain(arguments).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = command("/opt/rust/bin/cargo", ["test", "--doc"]);
        assert_eq!(shown(command.env("KEY", "value")), "KEY=value cargo test --doc");
    }

    #[test]
    fn a_failing_command_is_an_error_with_its_name() {
        let error = run(&mut cargo(["no-such-command"])).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-command` ended with"), "{error}");
        let error = run(&mut command("no-such-program", ["x"])).unwrap_err().to_string();
        assert_eq!(error, "cannot start `no-such-program x`");
    }

    #[test]
    fn only_success_is_an_answer() {
        assert!(answer(&mut cargo(["--version"])).unwrap().starts_with("cargo "));
        assert_eq!(answer(&mut cargo(["no-such-command"])), None);
        assert_eq!(answer(&mut command("no-such-program", ["x"])), None);
    }
}
