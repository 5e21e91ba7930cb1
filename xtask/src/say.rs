//! What people see while a chore runs: headings, notes, results, coloured on a terminal.
//!
//! It must never be the only place where a result is kept: exit codes say it too.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

/// How many characters a bar has.
const BAR_WIDTH: u64 = 30;

/// A new part of the work begins.
pub(crate) fn heading(text: &str) {
    println!("\n{}", paint("1;36", &format!("== {text}")));
}

/// Something worth knowing within a part.
pub(crate) fn note(text: &str) {
    println!("   {text}");
}

/// A command, as it could be typed.
pub(crate) fn command(text: &str) {
    println!("{}", paint("2", &format!("$ {text}")));
}

/// Something to look at that stops nothing.
pub(crate) fn warning(text: &str) {
    println!("{}", paint("33", &format!("warning: {text}")));
}

/// Something that is wrong.
pub(crate) fn failure(text: &str) {
    println!("{}", paint("1;31", &format!("error: {text}")));
}

/// How far something is: on a terminal a bar that grows in place, elsewhere a line when one is due.
pub(crate) fn progress(done: u64, all: u64, text: &str, is_line_due: bool) {
    if std::io::stdout().is_terminal() {
        let full = (done * BAR_WIDTH / all.max(1)).min(BAR_WIDTH) as usize;
        let (full, empty) = ("#".repeat(full), ".".repeat(BAR_WIDTH as usize - full));
        print!("\r\x1b[K   [{full}{empty}] {done} of {all}  {text}");
        // What cannot be shown is shown the next time.
        let _ = std::io::stdout().flush();
    } else if is_line_due {
        note(&format!("{done} of {all}  {text}"));
    }
}

/// Nothing more is added to the bar.
pub(crate) fn end_progress() {
    if std::io::stdout().is_terminal() {
        println!();
    }
}

/// Text that tells of success.
pub(crate) fn green(text: &str) -> String {
    paint("32", text)
}

/// Text that tells of failure.
pub(crate) fn red(text: &str) -> String {
    paint("1;31", text)
}

/// A duration for people: `0.4 s`, `1 min 07 s`.
pub(crate) fn duration(span: Duration) -> String {
    match span.as_secs() {
        0..60 => format!("{:.1} s", span.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Puts `text` into a colour (SGR parameters of ECMA-48) if someone is there to see it.
fn paint(colour: &str, text: &str) -> String {
    static COLOURED: OnceLock<bool> = OnceLock::new();
    // https://no-color.org: set and not empty means no colour.
    let coloured = *COLOURED.get_or_init(|| {
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
    });
    if coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(Duration::from_millis(449)), "0.4 s");
        assert_eq!(duration(Duration::from_millis(59_940)), "59.9 s");
        assert_eq!(duration(Duration::from_secs(67)), "1 min 07 s");
    }
}
