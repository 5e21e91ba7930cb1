//! `cargo xtask crash`: kills the released server over and over, and tells what came of it.
//!
//! It must never know what is published or read; that is `tidings_tests::crash`, which the tests
//! run too, for a few rounds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::bail;
use tidings_tests::crash::{self, Summary};

use crate::{say, shell, steps};

/// Without a terminal, how many rounds pass between two lines.
const ROUNDS_PER_LINE: u32 = 50;

/// Runs so many rounds.
pub(crate) fn run(rounds: u32, seed: Option<u64>) -> anyhow::Result<()> {
    shell::run(&mut steps::release_build())?;
    tidings_tests::use_binary(steps::binary()?);
    let seed = seed.unwrap_or_else(crash::any_seed);
    say::note(&format!("again: cargo xtask crash --rounds {rounds} --seed {seed}"));
    let (began, mut last) = (Instant::now(), Summary::default());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        crash::run(rounds, seed, &mut |summary| {
            last = *summary;
            let (done, all) = (u64::from(last.rounds), u64::from(rounds));
            let text = format!("{} messages acknowledged", last.acknowledged);
            let is_line_due = last.rounds.is_multiple_of(ROUNDS_PER_LINE);
            say::progress(done, all, &text, is_line_due);
        })
    }));
    say::end_progress();
    let Ok(summary) = ended else {
        bail!("round {} of seed {seed} failed, see above", last.rounds + 1);
    };
    let Summary { rounds, false_starts, acknowledged, retried, handed_over } = summary;
    say::note(&format!("{rounds} kills under load, {false_starts} while it started"));
    say::note(&format!("{acknowledged} messages acknowledged, {retried} publishes sent again"));
    say::note(&format!("{handed_over} readers replaced by one over another transport"));
    let span = say::duration(began.elapsed());
    println!("{}", say::green(&format!("nothing was lost, doubled or out of place in {span}")));
    Ok(())
}
