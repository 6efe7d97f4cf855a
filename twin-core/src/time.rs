//! Instants as the hub prints them: ISO 8601 in UTC with seven fractional digits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// An instant in UTC, counted in ticks of 100 ns since 0001-01-01T00:00:00Z, as .NET does.
///
/// The hub prints seven fractional digits (`2022-06-01T22:27:50.2612586Z`); [`Timestamp::NEVER`] is what
/// it prints for things that have not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

const TICKS_PER_SECOND: u64 = 10_000_000;
const UNIX_EPOCH_SECONDS: u64 = 62_135_596_800;
const MAX_SECONDS: u64 = 315_537_897_599; // 9999-12-31T23:59:59

impl Timestamp {
    /// `0001-01-01T00:00:00Z`: not yet.
    pub const NEVER: Timestamp = Timestamp(0);

    /// From seconds and nanoseconds since 1970 (what a system clock gives); clamped to year 9999.
    pub fn from_unix(since_epoch: Duration) -> Self {
        let seconds = (UNIX_EPOCH_SECONDS + since_epoch.as_secs()).min(MAX_SECONDS);
        Timestamp(seconds * TICKS_PER_SECOND + u64::from(since_epoch.subsec_nanos() / 100))
    }

    /// Whole seconds since 1970; 0 for anything earlier.
    pub fn unix_seconds(self) -> u64 {
        (self.0 / TICKS_PER_SECOND).saturating_sub(UNIX_EPOCH_SECONDS)
    }

    /// Whole milliseconds since 1970; negative for anything earlier.
    pub fn unix_millis(self) -> i64 {
        (self.0 / 10_000) as i64 - UNIX_EPOCH_SECONDS as i64 * 1000
    }

    /// From milliseconds since 1970; `None` outside of years 1 to 9999.
    pub fn from_unix_millis(millis: i64) -> Option<Self> {
        let millis = millis.checked_add(UNIX_EPOCH_SECONDS as i64 * 1000)?;
        let ticks = u64::try_from(millis).ok()?.checked_mul(10_000)?;
        (ticks / TICKS_PER_SECOND <= MAX_SECONDS).then_some(Timestamp(ticks))
    }

    /// Ticks of 100 ns since year 1.
    pub fn ticks(self) -> u64 {
        self.0
    }

    /// From ticks of 100 ns since year 1; clamped to year 9999.
    pub fn from_ticks(ticks: u64) -> Self {
        Timestamp(ticks.min((MAX_SECONDS + 1) * TICKS_PER_SECOND - 1))
    }

    /// Appends what `Display` prints, several times as fast: pages of twins hold thousands of instants.
    pub fn write(self, to: &mut Vec<u8>) {
        let (seconds, fraction) = (self.0 / TICKS_PER_SECOND, self.0 % TICKS_PER_SECOND);
        let (year, month, day) = civil(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        let mut digits = |from: usize, to: usize, mut number: u64| {
            for place in text[from..to].iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        digits(0, 4, year);
        digits(5, 7, month);
        digits(8, 10, day);
        digits(11, 13, seconds / 3600 % 24);
        digits(14, 16, seconds / 60 % 60);
        digits(17, 19, seconds % 60);
        digits(20, 27, fraction);
        if fraction != 0 {
            to.extend_from_slice(&text);
        } else {
            to.extend_from_slice(&text[..19]);
            to.push(b'Z');
        }
    }

    /// This instant moved later.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_ticks(self.0.saturating_add((by.as_nanos() / 100).min(u128::from(u64::MAX)) as u64))
    }
}

/// Days since 0001-01-01 to (year, month, day), proleptic Gregorian.
fn civil(days: u64) -> (u64, u64, u64) {
    // Shift to an era that starts on 1 March of year 0, so that the leap day comes last.
    let z = days + 306;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

/// (year, month, day) to days since 0001-01-01.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let y = year - u64::from(month <= 2);
    let (era, yoe) = (y / 400, y % 400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 + day - 1;
    era * 146_097 + doe - 306
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.0 / TICKS_PER_SECOND, self.0 % TICKS_PER_SECOND);
        let (year, month, day) = civil(seconds / 86_400);
        let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}")?;
        if fraction != 0 { write!(f, ".{fraction:07}Z") } else { f.write_str("Z") }
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction][Z|±HH:MM]`; no zone means UTC, as the service's documents print it.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| Error::invalid(format!("'{text}' is not an ISO 8601 date and time")))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let b = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = b.get(from..to)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
    };
    let separator = |at: usize, any: &[u8]| b.get(at).is_some_and(|c| any.contains(c)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    separator(4, b"-").and(separator(7, b"-")).and(separator(10, b"Tt "))?;
    let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    separator(13, b":").and(separator(16, b":"))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let in_month = *month_days.get((month as usize).checked_sub(1)?)?;
    if year == 0 || day == 0 || day > in_month || h > 23 || m > 59 || s > 59 {
        return None;
    }
    let mut ticks = ((days(year, month, day) * 24 + h) * 3600 + m * 60 + s) * TICKS_PER_SECOND;
    let mut at = 19;
    if b.get(at) == Some(&b'.') {
        let digits = b[at + 1..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        for place in 0..7 {
            let digit = if place < digits { u64::from(b[at + 1 + place] - b'0') } else { 0 };
            ticks += digit * 10u64.pow(6 - place as u32);
        }
        at += 1 + digits;
    }
    match b.get(at..)? {
        b"" | b"Z" | b"z" => Some(Timestamp::from_ticks(ticks)),
        zone if zone.len() == 6 && matches!(zone[0], b'+' | b'-') && zone[3] == b':' => {
            let (zh, zm) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            let shift = (zh * 60 + zm) * 60 * TICKS_PER_SECOND;
            let ticks = if zone[0] == b'+' { ticks.checked_sub(shift)? } else { ticks + shift };
            (zh < 24 && zm < 60).then(|| Timestamp::from_ticks(ticks))
        }
        _ => None,
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_what_the_hub_prints() {
        for (text, unix) in [
            ("0001-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2022-06-01T22:27:50.2612586Z", 1_654_122_470),
            ("9999-12-31T23:59:59.9999999Z", 253_402_300_799),
        ] {
            let t: Timestamp = text.parse().unwrap();
            assert_eq!(t.to_string(), text);
            let mut written = Vec::new();
            t.write(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), text);
            assert_eq!(t.unix_seconds(), unix, "{text}");
            let whole = Timestamp::from_unix_millis(t.unix_millis()).unwrap();
            assert_eq!(whole.ticks(), t.ticks() / 10_000 * 10_000, "{text}");
        }
    }

    #[test]
    fn accepts_other_spellings_of_the_same_instant() {
        let want: Timestamp = "2016-09-01T10:00:00Z".parse().unwrap();
        for text in ["2016-09-01T10:00:00", "2016-09-01T10:00:00.000Z", "2016-09-01T12:30:00+02:30"] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), want, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "2016",
            "2016-13-01T00:00:00Z",
            "2015-02-29T00:00:00Z",
            "2016-01-01T24:00:00Z",
            "2016-01-01T00:00:00.Z",
            "2016-01-01T00:00:00Q",
            "0000-01-01T00:00:00Z",
            "2016-01-01T00:00:00+1é",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn clock_readings_round_trip() {
        let t = Timestamp::from_unix(Duration::new(1_654_122_470, 261_258_600));
        assert_eq!(t.to_string(), "2022-06-01T22:27:50.2612586Z");
        assert_eq!(t.plus(Duration::from_secs(10)).unix_seconds(), 1_654_122_480);
    }
}
