//! `tidings log export`: every message of a log, one a line.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use tidings_log::Exported;
use tidings_model::Selection;

use super::bar::Bar;
use super::{Data, ExportArgs, human, line, messages};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Runs the command. The exit code is 1 when not everything could be read.
pub(super) fn run(mut data: Data, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let disk = data.look()?;
    let mut log = data.open(&disk)?;
    let wanted = match args.topics.as_slice() {
        [] => log.everything(),
        topics => Selection::new(topics.iter().cloned()),
    };
    let there = log.count(&wanted);
    if !args.all {
        data.keep(&mut log)?;
    }
    let (all, mut done) = (log.count(&wanted), 0);
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    let (mut text, mut bar) = (Vec::new(), Bar::new(&mut data.notes, "exporting"));
    let exported = log.export(&wanted, &mut |record| {
        text.clear();
        line::write(record, &mut text)?;
        out.write_all(&text)?;
        done += 1;
        bar.show(done, Some(all), || messages(done));
        Ok(())
    });
    let exported = match exported.and_then(|exported| out.flush().map(|()| exported)) {
        // Whoever read it has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // The rest could not be written either.
            let _ = out.into_parts();
            return Ok(ExitCode::SUCCESS);
        }
        result => result.map_err(|error| data.cannot("export", &error))?,
    };
    let Exported { messages: count, expired, unreadable } = exported;
    data.notes.line(&format!("exported {}", messages(count)));
    let passed = there - all + expired;
    if passed > 0 {
        let passed = human::thousands(passed);
        let text =
            format!("passed over {passed} that are over their limits or expired; --all has them");
        data.notes.line(&text);
    }
    data.tell(log.damages());
    if unreadable > 0 {
        data.notes.line(&format!("{} could not be read", messages(unreadable)));
    }
    let is_whole = unreadable == 0 && log.damages().is_empty();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
