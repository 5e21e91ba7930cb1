//! One run of the `tidings` binary: what it printed, and how it ended.
//! Must never leave a process behind, nor signal one that it did not start.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crate::until;

/// Where the binary is, when it is not where a build puts it.
const BINARY_VARIABLE: &str = "TIDINGS_BIN";

/// What settings begin with in the environment.
const PREFIX: &str = "TIDINGS_";

/// What holds for every program that is not told otherwise: a test leaves no folder behind.
const DEFAULTS: &[(&str, &str)] = &[("DATA", "none")];

/// Where it is, when that was told.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// From now on the binary is this one, whatever the environment says; once is enough.
pub fn use_binary(path: PathBuf) {
    BINARY.get_or_init(|| path);
}

type Lines = Arc<Mutex<Vec<String>>>;

/// A running `tidings`. Killed when dropped.
pub struct Program {
    child: Mutex<Child>,
    input: Option<ChildStdin>,
    printed: Lines,
    complained: Lines,
    listeners: Vec<JoinHandle<()>>,
}

/// What becomes of what a program prints to standard output.
enum Take {
    /// It is kept.
    Keep,
    /// Each line is handed over as it comes.
    Hand(Box<dyn FnMut(&str) + Send>),
}

/// How a program ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed to standard output, line by line.
    pub printed: Vec<String>,
    /// What it printed to standard error, line by line.
    pub complained: Vec<String>,
}

impl Program {
    /// Starts it with these arguments and settings, and keeps what it prints. Where `settings` say
    /// nothing of `DATA`, it keeps messages in memory.
    #[track_caller]
    pub fn start(arguments: &[&str], settings: &[(&str, &str)]) -> Program {
        Program::start_in(Path::new("."), arguments, settings)
    }

    /// [`start`](Program::start) in another working directory.
    #[track_caller]
    pub fn start_in(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Program {
        Program::start_with(&[], folder, arguments, settings, Take::Keep)
    }

    /// [`start`](Program::start) through another program, which starts what follows its own
    /// arguments.
    #[track_caller]
    pub fn start_through(
        through: &[&str],
        arguments: &[&str],
        settings: &[(&str, &str)],
    ) -> Program {
        Program::start_with(through, Path::new("."), arguments, settings, Take::Keep)
    }

    /// Starts it and hands each line of its standard output to `take` as it comes. A last line
    /// without a line feed, as a killed program may leave, is not handed over.
    #[track_caller]
    pub fn follow(
        arguments: &[&str],
        settings: &[(&str, &str)],
        take: impl FnMut(&str) + Send + 'static,
    ) -> Program {
        Program::start_with(&[], Path::new("."), arguments, settings, Take::Hand(Box::new(take)))
    }

    #[track_caller]
    fn start_with(
        through: &[&str],
        folder: &Path,
        arguments: &[&str],
        settings: &[(&str, &str)],
        take: Take,
    ) -> Program {
        let binary = binary();
        let mut command = match through {
            [] => Command::new(&binary),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(&binary);
                command
            }
        };
        command.current_dir(folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(PREFIX) {
                command.env_remove(name);
            }
        }
        let settings = DEFAULTS.iter().chain(settings);
        command.envs(settings.map(|(name, value)| (format!("{PREFIX}{name}"), value)));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        let (printed, complained) = (Lines::default(), Lines::default());
        let take: Box<dyn FnMut(&str) + Send> = match take {
            Take::Hand(take) => take,
            Take::Keep => {
                let keep = Arc::clone(&printed);
                Box::new(move |line| push(&keep, line))
            }
        };
        let keep = Arc::clone(&complained);
        let mut listeners = Vec::new();
        listeners.extend(child.stdout.take().map(|out| listen(out, take)));
        listeners.extend(child.stderr.take().map(|err| listen(err, move |line| push(&keep, line))));
        let input = child.stdin.take();
        Program { child: Mutex::new(child), input, printed, complained, listeners }
    }

    /// Writes to its standard input. Fails the test when it no longer reads.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let Some(input) = &mut self.input else { panic!("its input is closed") };
        input.write_all(bytes).unwrap_or_else(|error| panic!("it does not read: {error}"));
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// What it printed to standard output so far.
    pub fn printed(&self) -> Vec<String> {
        lock(&self.printed).clone()
    }

    /// What it printed to standard error so far.
    pub fn complained(&self) -> Vec<String> {
        lock(&self.complained).clone()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        lock(&self.child).try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends it a signal by its name, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        // One that has ended keeps its number until it is waited for, so no other has it.
        let child = lock(&self.child);
        // The shell's own: the program of that name is not on every machine.
        let kill = format!("kill -s {name} {}", child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "{kill}: {status:?}");
    }

    /// Kills it without a word of warning, and waits until all it printed is handed over.
    #[track_caller]
    pub fn kill(&mut self) {
        let killed = lock(&self.child).kill();
        killed.unwrap_or_else(|error| panic!("cannot kill: {error}"));
        self.wait();
    }

    /// Waits until it has ended and all it printed is handed over.
    #[track_caller]
    pub fn wait(&mut self) -> Finished {
        self.input = None;
        let look = || lock(&self.child).try_wait().ok().flatten();
        let status = until("the program ends", look);
        for listener in self.listeners.drain(..) {
            // It panics when its test's check of a line fails, and that has been reported.
            assert!(listener.join().is_ok(), "what it printed was wrong: see above");
        }
        Finished { status, printed: self.printed(), complained: self.complained() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        // Both fail only when it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", lock(&self.printed), lock(&self.complained))
    }
}

/// The binary: `TIDINGS_BIN`, or what was built beside the test.
#[track_caller]
fn binary() -> PathBuf {
    let told = || std::env::var_os(BINARY_VARIABLE).map(PathBuf::from);
    if let Some(path) = BINARY.get().cloned().or_else(told) {
        // The program may be started in another folder.
        return std::path::absolute(&path).unwrap_or(path);
    }
    let name = format!("tidings{}", std::env::consts::EXE_SUFFIX);
    let test = std::env::current_exe().unwrap_or_default();
    // A test lies in `target/PROFILE/deps`, the binary in `target/PROFILE`.
    let found = test.ancestors().skip(2).map(|folder| folder.join(&name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("no {name}: build it, or set {BINARY_VARIABLE}"))
}

/// Hands over line by line, on a thread of its own, so that the program is never held up.
fn listen(
    out: impl Read + Send + 'static,
    mut take: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        // Bytes that are no text end it too: nothing that is followed here prints any.
        while out.read_line(&mut line).is_ok_and(|count| count > 0) {
            if let Some(line) = line.strip_suffix('\n') {
                take(line);
            }
            line.clear();
        }
    })
}

fn push(lines: &Lines, line: &str) {
    lock(lines).push(line.to_owned());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
