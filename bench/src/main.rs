//! `tidings-bench`: drives a server as hard as one core can, and says what came of it.
//!
//! Must never touch a process that it did not start, send anything off this machine, or report a
//! figure that it did not measure.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod install;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod scenario;
#[cfg(target_os = "linux")]
mod target;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("tidings-bench reads /proc and pins processes to cores: it needs Linux");
    std::process::ExitCode::FAILURE
}
