//! Cron expressions: five fields, or six with seconds first.
//!
//! What is understood is what the Node SDK's scheduler (`node-crontab` on `cron-parser`) understands: `*`, `?`, numbers,
//! ranges, lists, steps, names of months and days in English, 7 for Sunday, and `@hourly` and its kin. If both the day of
//! the month and the day of the week are restricted, either will do.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result, Timestamp};

/// How far ahead a time is looked for, in days: 29 February comes at the latest after eight years.
const MAX_DAYS: u64 = 8 * 366 + 1;

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const ALIASES: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression, in UTC unless [`Cron::at_offset`] says otherwise.
#[derive(Clone, PartialEq)]
pub struct Cron {
    text: String,
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether days of the month and of the week are restricted.
    restricted: [bool; 2],
    offset_minutes: i32,
}

impl Cron {
    /// The same in a time zone that is this many minutes ahead of UTC.
    pub fn at_offset(mut self, minutes: i32) -> Self {
        self.offset_minutes = minutes;
        self
    }

    /// The first time after `now` that fits; `None` if there is none (30 February).
    pub fn after(&self, now: Timestamp) -> Option<Timestamp> {
        let shift = i64::from(self.offset_minutes) * 60_000;
        let local = Timestamp::from_unix_millis(now.unix_millis().checked_add(shift)?)?;
        // A whole second later.
        let start = u64::try_from(local.unix_millis().div_euclid(1000)).ok()? + 1;
        let (first_day, mut from) = (start / 86_400, start % 86_400);
        for day in first_day..first_day + MAX_DAYS {
            if self.fits_day(day)
                && let Some(second) = self.time_from(from)
            {
                let millis = i64::try_from((day * 86_400 + second) * 1000).ok()?;
                return Timestamp::from_unix_millis(millis - shift);
            }
            from = 0;
        }
        None
    }

    fn fits_day(&self, day: u64) -> bool {
        let Some(date) = Timestamp::from_unix_millis(day as i64 * 86_400_000).map(|at| at.to_string()) else {
            return false;
        };
        let number = |from: usize, to: usize| date[from..to].parse::<u64>().unwrap_or(0);
        // 1 January 1970 was a Thursday.
        let (month, of_month, of_week) = (number(5, 7), number(8, 10), (day + 4) % 7);
        let (in_month, in_week) = (has(self.days, of_month), has(self.weekdays, of_week));
        let fits = if self.restricted == [true; 2] { in_month || in_week } else { in_month && in_week };
        has(self.months, month) && fits
    }

    /// The first second of a day, at or after `from`.
    fn time_from(&self, from: u64) -> Option<u64> {
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        for h in hour..24 {
            if !has(self.hours, h) {
                continue;
            }
            let minute = if h == hour { minute } else { 0 };
            for m in minute..60 {
                if !has(self.minutes, m) {
                    continue;
                }
                let second = if h == hour && m == from / 60 % 60 { second } else { 0 };
                if let Some(s) = (second..60).find(|s| has(self.seconds, *s)) {
                    return Some((h * 60 + m) * 60 + s);
                }
            }
        }
        None
    }
}

fn has(set: u64, n: u64) -> bool {
    set >> n & 1 == 1
}

impl FromStr for Cron {
    type Err = Error;

    /// Reads five or six fields, or an alias.
    fn from_str(text: &str) -> Result<Self> {
        let alias = ALIASES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        let fields: Vec<&str> = alias.map_or(text, |(_, meaning)| meaning).split_ascii_whitespace().collect();
        let [seconds, minutes, hours, days, months, weekdays] = match *fields {
            [minutes, hours, days, months, weekdays] => ["0", minutes, hours, days, months, weekdays],
            [seconds, minutes, hours, days, months, weekdays] => {
                [seconds, minutes, hours, days, months, weekdays]
            }
            _ => return Err(wrong(text, "it has not five or six fields")),
        };
        let set = |name: &str, field: &str, least: u64, most: u64, names: &[&str]| {
            field_of(field, least, most, names)
                .ok_or_else(|| wrong(text, &format!("its {name} are '{field}'")))
        };
        let mut weekday_set = set("days of the week", weekdays, 0, 7, WEEKDAYS)?;
        // 7 is Sunday, too.
        weekday_set = (weekday_set | weekday_set >> 7 & 1) & 0x7f;
        let restricted = |field: &str| !matches!(field, "*" | "?");
        Ok(Cron {
            text: text.trim().to_owned(),
            seconds: set("seconds", seconds, 0, 59, &[])?,
            minutes: set("minutes", minutes, 0, 59, &[])?,
            hours: set("hours", hours, 0, 23, &[])?,
            days: set("days of the month", days, 1, 31, &[])?,
            months: set("months", months, 1, 12, MONTHS)?,
            weekdays: weekday_set,
            restricted: [restricted(days), restricted(weekdays)],
            offset_minutes: 0,
        })
    }
}

fn field_of(field: &str, least: u64, most: u64, names: &[&str]) -> Option<u64> {
    let number = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let n = match named {
            Some(at) => at as u64 + least,
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (least..=most).contains(&n).then_some(n)
    };
    let mut set = 0;
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (from, to) = match range {
            "*" | "?" => (least, most),
            range => match range.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                // `5/10` begins at 5.
                None => (number(range)?, if step.is_some() { most } else { number(range)? }),
            },
        };
        if from > to {
            return None;
        }
        (from..=to).step_by(step.unwrap_or(1) as usize).for_each(|n| set |= 1 << n);
    }
    Some(set)
}

fn wrong(text: &str, why: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::invalid(format!("'{}' is no cron expression: {why}", shown.escape_debug()))
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time() {
        // Friday, 1 March 2024, the day after a 29 February.
        let now: Timestamp = "2024-03-01T12:34:56Z".parse().unwrap();
        for (text, next) in [
            ("* * * * * *", "2024-03-01T12:34:57Z"),
            ("* * * * *", "2024-03-01T12:35:00Z"),
            ("*/15 * * * *", "2024-03-01T12:45:00Z"),
            ("10/20 * * * *", "2024-03-01T12:50:00Z"),
            ("56 34 12 * * *", "2024-03-02T12:34:56Z"),
            ("0 9-17/4 * * *", "2024-03-01T13:00:00Z"),
            ("0 0 * * MON-fri", "2024-03-04T00:00:00Z"),
            ("0 0 * * 7", "2024-03-03T00:00:00Z"),
            ("0 0 * * 0", "2024-03-03T00:00:00Z"),
            ("0 0 29 2 ?", "2028-02-29T00:00:00Z"),
            ("0 0 1 jan *", "2025-01-01T00:00:00Z"),
            // Either the 13th or a Sunday.
            ("0 0 13 * 0", "2024-03-03T00:00:00Z"),
            ("1,2,3 0 0 1 */6 *", "2024-07-01T00:00:01Z"),
            ("@hourly", "2024-03-01T13:00:00Z"),
            ("@Yearly", "2025-01-01T00:00:00Z"),
        ] {
            let cron: Cron = text.parse().unwrap();
            assert_eq!(cron.after(now).unwrap().to_string(), next, "{text}");
            assert_eq!(cron.to_string(), text);
        }
        assert_eq!("0 0 30 2 *".parse::<Cron>().unwrap().after(now), None);
        let noon_in_berlin = "0 12 * * *".parse::<Cron>().unwrap().at_offset(60);
        assert_eq!(noon_in_berlin.after(now).unwrap().to_string(), "2024-03-02T11:00:00Z");
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "* * 0 * *",
            "-1 * * * *",
            "* * * * 8",
        ] {
            assert!(text.parse::<Cron>().is_err(), "{text}");
        }
    }
}
