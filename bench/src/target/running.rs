//! A target while it runs. Must never leave a process behind, nor end one that it did not start.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{Folder, Target, fill};
use crate::machine::{Cores, Processes};

/// How long a target may take to listen; a database recovers first.
const START_WAIT: Duration = Duration::from_secs(60);
/// How long it may take to end when it is asked to.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked at while it starts or ends.
const LOOK: Duration = Duration::from_millis(10);
/// How much of what it complained is shown.
const COMPLAINT_BYTES: usize = 2000;

/// Where a target runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// On these cores.
    pub(crate) cores: &'a Cores,
    /// With its folder in this one.
    pub(crate) folder: &'a Path,
    /// The program of a target that stands for our own server.
    pub(crate) binary: &'a Path,
    /// Where its npm packages are.
    pub(crate) npm: &'a Path,
    /// Where its Python packages are.
    pub(crate) pypi: &'a Path,
}

/// A running target. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    address: SocketAddr,
    folder: Folder,
    certificate: Option<PathBuf>,
}

impl Running {
    /// Starts it and waits until it takes connections.
    ///
    /// # Errors
    /// When it cannot be started, or ends, or takes too long.
    pub(crate) fn start(target: &Target, place: Place<'_>) -> anyhow::Result<Running> {
        let folder = Folder::new(place.folder)?;
        let address = free_address()?;
        let data = folder.path().join("data");
        let binary = target.binary.clone().unwrap_or_else(|| place.binary.to_owned());
        let text = |path: &Path| path.display().to_string();
        let port = address.port().to_string();
        let (data, folder_text, binary) = (text(&data), text(folder.path()), text(&binary));
        let npm = text(&std::path::absolute(place.npm)?);
        let pypi = text(&std::path::absolute(place.pypi)?);
        let values = [
            ("port", port.as_str()),
            ("folder", &folder_text),
            ("data", &data),
            ("binary", &binary),
            ("npm", &npm),
            ("pypi", &pypi),
        ];
        for (name, content) in &target.form.files {
            let path = folder.path().join(name);
            std::fs::write(&path, fill(content, &values))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let filled = |words: &[String]| -> Vec<String> {
            words.iter().map(|word| fill(word, &values)).collect()
        };
        for words in &target.form.prepare {
            prepare(&filled(words), folder.path())?;
        }
        let mode = target.form.modes.get(&target.mode).cloned().unwrap_or_default();
        let mut command = vec!["taskset".to_owned(), "-c".to_owned(), place.cores.to_string()];
        command.extend(filled(&target.form.command));
        command.extend(filled(&mode.arguments));
        let environment = mode
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, &values)))
            .chain(target.settings.iter().cloned())
            .collect();
        let child = spawn(&command, &environment, folder.path())?;
        let certificate = target.form.certificate.as_ref().map(|name| folder.path().join(name));
        let mut running = Running { child, command, environment, address, folder, certificate };
        running.await_listening()?;
        Ok(running)
    }

    /// Kills it without a word of warning and starts it again on what it left.
    ///
    /// # Errors
    /// When it cannot be started again. Returns how long it took until it took connections.
    pub(crate) fn kill_and_restart(&mut self) -> anyhow::Result<Duration> {
        self.signal_group(Signal::KILL);
        self.child.wait()?;
        let begin = Instant::now();
        self.child = spawn(&self.command, &self.environment, self.folder.path())?;
        self.await_listening()?;
        Ok(begin.elapsed())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate to believe, where TLS is spoken.
    pub(crate) fn certificate(&self) -> Option<PathBuf> {
        self.certificate.clone()
    }

    /// Its processes as they are now.
    pub(crate) fn processes(&self) -> Processes {
        Processes::below(self.child.id())
    }

    /// The folder of this run.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    fn await_listening(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} instead of listening: {}", self.complaint());
            }
            ensure!(begin.elapsed() < START_WAIT, "it does not listen: {}", self.complaint());
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The end of what it printed.
    fn complaint(&self) -> String {
        let text = std::fs::read(output_file(self.folder.path())).unwrap_or_default();
        let end = &text[text.len().saturating_sub(COMPLAINT_BYTES)..];
        String::from_utf8_lossy(end).trim().to_owned()
    }

    fn signal_group(&self, signal: Signal) {
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            // Fails only when all of them have ended.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(process, Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < STOP_WAIT && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK);
        }
        // What it left behind, too; the group is ours as long as one of it is there.
        self.signal_group(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on now.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no port is free")?.local_addr()?)
}

fn output_file(folder: &Path) -> PathBuf {
    folder.join("output")
}

fn prepare(words: &[String], folder: &Path) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("an empty command in `prepare`")?;
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{} failed: {}", words.join(" "), complaint.trim());
    Ok(())
}

fn spawn(
    words: &[String],
    environment: &Vec<(String, String)>,
    folder: &Path,
) -> anyhow::Result<Child> {
    let output = File::options().create(true).append(true).open(output_file(folder))?;
    // It must end with us, however we end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM"]).args(words);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TIDINGS_") {
            command.env_remove(name);
        }
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("cannot start setpriv, which is part of util-linux")
}
