//! The command line: which scenario, against what, how long and where.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::bench::{Bench, Size};
use crate::install::install;
use crate::machine::Cores;
use crate::scenario::{self, log};
use crate::target::Target;

/// Drives a server as hard as one core can, and says what came of it.
#[derive(Debug, Parser)]
#[command(name = "tidings-bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the scenarios
    List,
    /// Install what these targets need, from Debian, npm and PyPI
    Install {
        #[arg(required = true, value_parser = Target::parse)]
        targets: Vec<Target>,
        /// Where the packages go, as for the scenarios
        #[arg(long, value_name = "DIR", default_value = "target/bench")]
        out: PathBuf,
    },
    /// One process of the scenario `log`
    #[command(hide = true)]
    LogWriter(log::WriterArgs),
    /// Another one
    #[command(hide = true)]
    LogOpener(log::OpenerArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// What to measure; `list` names all
    #[arg(required = true)]
    scenarios: Vec<String>,
    /// What to load, as NAME[:MODE][@VIA][=PROGRAM] or the path of a description; the first is what
    /// the others are compared with [default: as the scenario has it]
    #[arg(long = "target", value_name = "TARGET", value_parser = Target::parse)]
    targets: Vec<Target>,
    /// The ways to listen that are measured, by comma [default: as the scenario has it]
    #[arg(long, value_delimiter = ',')]
    via: Vec<String>,
    /// How many listeners there are, by comma; most scenarios take the first [default: as the
    /// scenario has it]
    #[arg(long, value_delimiter = ',')]
    listeners: Vec<usize>,
    /// How often each measurement is made, in turns between the targets
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each measurement lasts
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Only a small load for a second: shows that everything works, and measures nothing
    #[arg(long)]
    small: bool,
    /// Fail when a message was lost, doubled or out of order, or anything failed
    #[arg(long)]
    strict: bool,
    /// Cores of the target, such as 0,2-3 [default: the first half]
    #[arg(long, value_parser = Cores::parse)]
    target_cores: Option<Cores>,
    /// Cores of the load generator [default: the others]
    #[arg(long, value_parser = Cores::parse)]
    load_cores: Option<Cores>,
    /// The server's program
    #[arg(long, value_name = "PATH", default_value = "target/release/tidings")]
    binary: PathBuf,
    /// Where reports go
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// The name of the report, when it is not the scenario's
    #[arg(long)]
    name: Option<String>,
    /// A page whose section on this report is put in the place of the old one
    #[arg(long, value_name = "FILE")]
    docs: Option<PathBuf>,
    /// Where targets keep their data while they run [default: where reports go]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Environment for every target, such as TIDINGS_THREADS=2
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

/// Runs what the command line asks for.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let end = match cli.command {
        None => run(cli.run),
        Some(Command::List) => {
            scenario::list();
            Ok(())
        }
        Some(Command::Install { targets, out }) => install(&targets, &out),
        Some(Command::LogWriter(args)) => log::write(&args),
        Some(Command::LogOpener(args)) => log::open(&args),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: RunArgs) -> anyhow::Result<()> {
    let (target_cores, load_cores) = Cores::ours()?.split();
    let size = if args.small { Size::Small } else { Size::Full };
    let bench = Bench {
        targets: args.targets,
        via: args.via,
        listeners: args.listeners,
        rounds: args.rounds,
        seconds: args.seconds,
        size,
        strict: args.strict,
        target_cores: args.target_cores.unwrap_or(target_cores),
        load_cores: args.load_cores.unwrap_or(load_cores),
        binary: std::path::absolute(args.binary)?,
        folder: args.folder.unwrap_or_else(|| args.out.clone()),
        out: args.out,
        name: args.name,
        docs: args.docs,
        settings: args.settings,
    };
    for name in &args.scenarios {
        scenario::run(name, &bench)?;
    }
    Ok(())
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.to_owned(), value.to_owned()))
}
