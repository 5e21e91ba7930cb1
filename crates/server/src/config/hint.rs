//! The nearest name there is, for a name there is not. Must never hint at something far away:
//! a wrong hint costs more than none.

/// Longest name that is compared; anything longer is no typing mistake.
const NAME_CHARS_MAX: usize = 64;

/// The one of `names` that `given` was most likely meant to be: one that ends in the same last
/// part (`heartbeat` for `times.heartbeat`), or the one with the fewest letters to change, at
/// most a third of them.
pub(super) fn nearest<'n>(
    given: &str,
    names: impl Iterator<Item = &'n str> + Clone,
) -> Option<&'n str> {
    if given.chars().count() > NAME_CHARS_MAX {
        return None;
    }
    let given = given.replace('-', "_").to_lowercase();
    let most = given.len().div_ceil(3).max(1);
    let by_letters = names
        .clone()
        .map(|name| (distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance);
    if let Some((0..=2, name)) = by_letters {
        return Some(name);
    }
    let last = last_part(&given);
    let mut same_end = names.filter(|name| distance(last_part(name), last) <= last.len() / 6);
    match (same_end.next(), same_end.next()) {
        (Some(name), None) => Some(name),
        _ => by_letters.map(|(_, name)| name),
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// How many letters must be changed, added or taken away to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        let names = ["listen", "limits.message_bytes", "limits.batch_bytes", "times.heartbeat"];
        for (given, hint) in [
            ("listne", Some("listen")),
            ("limit.message_bytes", Some("limits.message_bytes")),
            ("limits.mesage-bytes", Some("limits.message_bytes")),
            ("Limits.Batch_Bytes", Some("limits.batch_bytes")),
            ("heartbeat", Some("times.heartbeat")),
            ("server.heartbeats", Some("times.heartbeat")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names.into_iter()), hint, "{given}");
        }
        assert_eq!(nearest(&"listen".repeat(1000), names.into_iter()), None);
    }
}
