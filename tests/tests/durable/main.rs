//! The log on disk, under a real process that is really killed, real damage to its files, and the
//! tools for it. Must never look into the files but to damage them.

mod backup;
mod clock;
mod damage;
mod full;
mod kill;
mod readonly;
mod tools;
mod torn;

use tidings_tests::{Finished, Folder, Program, Server};

const KEEP: &str = r#"[{match = "**", max_messages = 10000000, max_bytes = "1GiB"}]"#;

fn server(folder: &Folder) -> Server {
    Server::with(&[("DATA", &folder.text()), ("NAMESPACE", KEEP)])
}

/// What `tidings log` does with these arguments, by the configuration of [`server`].
fn log(arguments: &[&str]) -> Finished {
    let arguments = [&["log"], arguments].concat();
    Program::start(&arguments, &[("NAMESPACE", KEEP)]).wait()
}
