//! `Last-Modified` and `If-Modified-Since` (RFC 9110 sections 8.8.2 and 13.1.3), which many feed
//! readers know and nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidings_model::Time;

/// When an answer changed last, if a second is fine enough to tell it from a later one.
pub(crate) fn last_modified(newest: Option<Time>, now: Time) -> Option<String> {
    let newest = newest?;
    // In the same second another event may come, which nobody would be told of who asks with it.
    let is_over = now.as_millis() / 1000 > newest.as_millis() / 1000;
    is_over.then(|| httpdate::fmt_http_date(second(newest)))
}

/// An HTTP date as whole seconds.
pub(crate) fn parse(date: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(date).ok()
}

/// The second that a time lies in.
pub(crate) fn second(time: Time) -> SystemTime {
    // Dates are written for years up to 9999 only.
    const SECONDS_MAX: u64 = 253_402_300_799;
    UNIX_EPOCH + Duration::from_secs((time.as_millis() / 1000).min(SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_is_not_over_dates_nothing() {
        let newest = Some(Time::from_millis(1_767_225_600_500));
        let at = |now| last_modified(newest, Time::from_millis(now));
        assert_eq!(at(1_767_225_600_999), None);
        let date = at(1_767_225_601_000).unwrap();
        assert_eq!(date, "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(parse(&date), newest.map(second));
        assert_eq!(last_modified(None, Time::from_millis(5000)), None);
        assert_eq!(parse("yesterday"), None);
        second(Time::from_millis(u64::MAX));
    }
}
