//! What keeps the folder in order beside the writer: packs and indexes segments that are full,
//! removes those of which nothing is kept, and copies out of those of which little is.
//!
//! Must never remove what a loss of power could make the newest again, nor anything before what it
//! was is remembered.

use std::io;
use std::sync::Arc;

use tidings_model::{GapReason, Topic};

use super::Shared;
use super::files::DiskFile;
use super::marks::{Lost, Marks};
use super::rows::{self, NameList, Rows, SealedRows};
use super::segment::{Hole, Segment};
use super::state::State;
use crate::Remembered;

/// Keeps the folder in order.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) marks: Marks,
    /// Which of the chores failed; they are tried again after a while.
    failed: [bool; CHORES.len()],
}

/// One thing to do: says whether there was something.
type Chore = fn(&mut Keeper) -> io::Result<bool>;

/// All of them, and what it means when one fails. What makes room comes first.
const CHORES: [(Chore, &str); 4] = [
    (Keeper::remove, "cannot remember what is trimmed; old segments are kept"),
    (Keeper::pack, "cannot pack a segment"),
    (Keeper::index, "cannot write a segment's index; the next start has to read the segment"),
    (Keeper::copy_out, "cannot copy what is kept of a segment; it stays as it is"),
];

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, marks: Marks) -> Keeper {
        Keeper { shared, marks, failed: [false; CHORES.len()] }
    }

    /// Does what there is to do. `again` says that some time has gone by, so that what failed is
    /// tried again.
    pub(super) fn work(&mut self, again: bool) {
        if again {
            self.failed = [false; CHORES.len()];
        }
        while self.step() {}
    }

    /// Does one thing; says whether there may be more.
    fn step(&mut self) -> bool {
        for (number, (chore, failure)) in CHORES.iter().enumerate() {
            if self.failed[number] {
                continue;
            }
            match chore(self) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "{failure}");
                    self.failed[number] = true;
                }
            }
        }
        false
    }

    /// Packs the rows of a segment that is full.
    fn pack(&mut self) -> io::Result<bool> {
        let rolled = self.shared.state().segments.iter().find_map(|segment| match &segment.rows {
            Rows::Rolled(rows) => Some((segment.header.base, Arc::clone(rows))),
            _ => None,
        });
        let Some((base, rows)) = rolled else { return Ok(false) };
        let packed = SealedRows::pack(&rows);
        if let Some(segment) = self.shared.state().segment_mut(base) {
            segment.rows = Rows::Sealed(Arc::new(packed));
        }
        Ok(true)
    }

    /// Writes the index of a segment that has none.
    fn index(&mut self) -> io::Result<bool> {
        let Some(plan) = Plan::find(&self.shared.state()) else { return Ok(false) };
        let Plan { base, salt, through, file, rows, names, damaged, tokens, is_copy } = plan;
        if damaged.is_empty() && !is_copy {
            // What was reserved beyond the end is given back.
            file.set_size(rows.end_at.into())?;
        }
        let index = rows::encode(salt, through, &rows, &names, &damaged, &tokens);
        self.shared.disk.replace(&Segment::index_name(base), &index)?;
        if let Some(segment) = self.shared.state().segment_mut(base) {
            (segment.is_indexed, segment.tokens) = (true, Vec::new());
        }
        Ok(true)
    }

    /// Removes segments of which nothing is kept. What they held is remembered first, so that its
    /// loss can be told.
    fn remove(&mut self) -> io::Result<bool> {
        let mut marks = self.marks.clone();
        let mut dead = Vec::new();
        {
            let mut state = self.shared.state();
            for index in 0..state.segments.len().saturating_sub(1) {
                if state.segments[index].live > 0 || !state.may_drop(index) {
                    continue;
                }
                let segment = &state.segments[index];
                let (base, through) = (segment.header.base, segment.through);
                marks.remove(base, through);
                for hole in &segment.damaged {
                    let reason = GapReason::Damaged;
                    marks.lose(Lost { from: hole.from, to: hole.to, reason });
                }
                dead.push((base, segment.header.salt, segment.tokens.clone()));
                state.note_gone(index);
            }
        }
        if dead.is_empty() {
            return Ok(false);
        }
        marks.trims = self.gone();
        self.carry_over(&mut marks, &dead);
        self.save(marks)?;
        let mut state = self.shared.state();
        state.segments.retain(|segment| dead.iter().all(|(base, ..)| *base != segment.header.base));
        drop(state);
        for (base, ..) in dead {
            self.remove_files(base);
        }
        Ok(true)
    }

    /// What has to be remembered of topics.
    pub(super) fn gone(&self) -> Vec<(Topic, u64)> {
        // There may be very many, and others shall have their turn in between.
        let (mut gone, mut from) = (Vec::new(), Some(0));
        while let Some(next) = from {
            from = self.shared.state().gone(next, &mut gone);
        }
        gone
    }

    /// Tokens that are still of use go from segments to the marks.
    pub(super) fn carry_over(&self, marks: &mut Marks, segments: &[(u64, u32, Vec<Remembered>)]) {
        let (epoch, since) = {
            let state = self.shared.state();
            (state.epoch, state.now.saturating_sub(self.shared.remember))
        };
        for (base, salt, tokens) in segments {
            marks.remember(tokens.iter().cloned(), since);
            let index = self.shared.disk.read(&Segment::index_name(*base)).ok();
            // Without its index the segment is not read again just for that.
            if let Some(index) = index.and_then(|bytes| rows::decode(&bytes, *salt, epoch)) {
                marks.remember(index.tokens, since);
            }
        }
    }

    /// Makes these the marks.
    pub(super) fn save(&mut self, mut marks: Marks) -> io::Result<()> {
        marks.save(&*self.shared.disk)?;
        // They are gathered anew each time.
        marks.trims = Vec::new();
        self.marks = marks;
        Ok(())
    }

    /// Removes the files of a segment that nothing needs any more. If one stays, the next start
    /// removes it.
    pub(super) fn remove_files(&self, base: u64) {
        for name in [Segment::name(base), Segment::index_name(base)] {
            if let Err(error) = self.shared.disk.remove(&name)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, name, "cannot remove a trimmed segment");
            }
        }
    }
}

/// An index that is to be written.
struct Plan {
    base: u64,
    salt: u32,
    through: u64,
    file: Arc<dyn DiskFile>,
    rows: Arc<SealedRows>,
    names: NameList,
    damaged: Vec<Hole>,
    tokens: Vec<Remembered>,
    is_copy: bool,
}

impl Plan {
    fn find(state: &State) -> Option<Plan> {
        let is_wanted = |segment: &&Segment| segment.is_sealed() && !segment.is_indexed;
        let segment = state.segments.iter().find(is_wanted)?;
        let Rows::Sealed(rows) = &segment.rows else { return None };
        Some(Plan {
            base: segment.header.base,
            salt: segment.header.salt,
            through: segment.through,
            file: Arc::clone(&segment.file),
            rows: Arc::clone(rows),
            names: state.topics.list(rows.topics().map(|(topic, _)| topic)),
            damaged: segment.damaged.clone(),
            tokens: segment.tokens.clone(),
            is_copy: segment.header.copy.is_some(),
        })
    }
}
