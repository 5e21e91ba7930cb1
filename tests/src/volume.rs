//! A small file system of a test's own, which can be filled and made read-only. It is mounted where
//! only programs that are started in it see it, and is gone with them.
//!
//! Must never need more than a machine gives: where nothing may be mounted, it says why.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Folder;

/// Reads commands and says how each ended, until nobody gives it any more.
const LISTEN: &str =
    "echo ready; while read -r line; do sh -c \"$line\" >/dev/null 2>&1; echo \"$?\"; done";

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory. Whoever may make namespaces may mount one.
    Memory,
    /// In a file, as on a disk. Only the superuser may mount one, and only where there are loop
    /// devices.
    Disk,
}

/// A mounted file system.
pub struct Volume {
    folder: Folder,
    shell: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What a program is started through to be in it.
    entrance: Vec<String>,
}

impl Volume {
    /// Mounts one with so many MiB; says why when that is not possible here.
    pub fn mount(kind: Kind, mebibytes: u32) -> Result<Volume, String> {
        let mut why = Vec::new();
        // The superuser needs no namespace of users; others become one in it.
        for (flags, entering) in
            [("-m", &["-m"][..]), ("-rm", &["-U", "--preserve-credentials", "-m"])]
        {
            if kind == Kind::Disk && flags == "-rm" {
                continue;
            }
            match Volume::try_mount(kind, mebibytes, flags, entering) {
                Ok(volume) => return Ok(volume),
                Err(error) => why.push(format!("unshare {flags}: {error}")),
            }
        }
        Err(why.join("; "))
    }

    fn try_mount(
        kind: Kind,
        mebibytes: u32,
        flags: &str,
        entering: &[&str],
    ) -> Result<Volume, String> {
        let folder = Folder::new();
        let (place, image) = (folder.path().join("volume"), folder.path().join("image"));
        std::fs::create_dir(&place).map_err(|error| error.to_string())?;
        let (place, image) = (place.display(), image.display());
        let mount = match kind {
            Kind::Memory => format!("mount -t tmpfs -o size={mebibytes}m none {place}"),
            Kind::Disk => format!(
                "truncate -s {mebibytes}M {image} && mkfs.ext4 -q {image} && \
                 mount -o loop {image} {place}"
            ),
        };
        // What goes wrong is the first thing that is said.
        let script = format!("exec unshare {flags} sh -c '({mount}) && {LISTEN}' 2>&1");
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let (Some(commands), Some(answers)) = (shell.stdin.take(), shell.stdout.take()) else {
            return Err("it cannot be talked to".to_owned());
        };
        let target = shell.id().to_string();
        let words = ["nsenter", "-t", &target];
        let entrance = words.iter().chain(entering).map(|word| (*word).to_owned()).collect();
        let answers = BufReader::new(answers);
        let mut volume = Volume { folder, shell, commands: Some(commands), answers, entrance };
        match volume.answer() {
            answer if answer == "ready" => Ok(volume),
            answer => Err(if answer.is_empty() { "it is not allowed".to_owned() } else { answer }),
        }
    }

    /// Where it is, for programs in it.
    pub fn path(&self) -> String {
        self.folder.path().join("volume").display().to_string()
    }

    /// What a program is started through to be in it.
    pub fn entrance(&self) -> Vec<&str> {
        self.entrance.iter().map(String::as_str).collect()
    }

    /// Has the shell in it run a command, in which `@` is the place of the volume. A volume in memory
    /// is remounted as `none @`: by the place alone, options would be repeated that name users
    /// who are not in the namespace.
    #[track_caller]
    pub fn run(&mut self, command: &str) {
        let command = command.replace('@', &self.path());
        let Some(commands) = &mut self.commands else { panic!("the volume is closed") };
        writeln!(commands, "{command}").unwrap_or_else(|error| panic!("{command}: {error}"));
        let answer = self.answer();
        assert_eq!(answer, "0", "{command}");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        // An end is an empty answer.
        let _ = self.answers.read_line(&mut line);
        line.trim().to_owned()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // With its input the shell ends, and with the last program in it the volume goes.
        self.commands = None;
        let _ = self.shell.wait();
    }
}

/// What tests are about that can do nothing on this machine, and why.
pub fn faults_not_possible() -> Vec<(&'static str, String)> {
    let tests = [(Kind::Memory, "full and read-only disks"), (Kind::Disk, "a disk that fails")];
    let missing = tests.map(|(kind, name)| Some((name, Volume::mount(kind, 20).err()?)));
    missing.into_iter().flatten().collect()
}

/// Says on the terminal, past whatever keeps a passing test's words back, that a test could not do
/// what it is for.
pub fn skipped(test: &str, why: &str) {
    let advice = "it needs root, or `unshare -rm` (sysctl kernel.unprivileged_userns_clone=1, \
                  kernel.apparmor_restrict_unprivileged_userns=0)";
    // Standard error itself is not captured, as what is printed is.
    let _ =
        writeln!(std::io::stderr(), "SKIPPED {test}: cannot mount a file system: {why}; {advice}");
}
