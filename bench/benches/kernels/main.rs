//! The innermost work of the house by itself, without sockets: how long it takes, and how many
//! instructions and allocations.
//!
//! Time is for people to look at, since it changes with the machine and its mood. Instructions and
//! allocations are counted by valgrind and compared with `bench/instructions.toml`, since they hardly
//! change. CI does that, so it must never fail for the time that something took.

#[cfg(target_os = "linux")]
mod instructions;
#[cfg(target_os = "linux")]
mod kernels;
#[cfg(target_os = "linux")]
mod readers;
#[cfg(target_os = "linux")]
mod timing;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    // Cargo adds `--bench` to whatever is asked for.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let end = match words[..] {
        ["once", name, rounds] => kernels::once(name, rounds),
        ["instructions"] => instructions::check(),
        ["instructions", "--bless"] => instructions::bless(),
        _ => {
            timing::all();
            Ok(())
        }
    };
    match end {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
