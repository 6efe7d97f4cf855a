//! Instants in the properties of messages.
//!
//! This stack says ISO 8601. Heard are also what Azure's hub prints over HTTPS (`12/09/2019 12:00:00 PM`, as the Azure
//! CLI's tests have it), milliseconds since 1970, which the Node SDK sends when an application gives it a number, and
//! `0` for none (the Java SDK's tests).

use std::time::Duration;

use crate::Timestamp;

/// Reads an instant; `None` for none, and for what is no instant.
pub(super) fn hear(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let millis = text.parse().ok().filter(|millis| *millis > 0)?;
        return Some(Timestamp::from_unix(Duration::from_millis(millis)));
    }
    text.parse().ok().or_else(|| american(text))
}

/// `M/D/YYYY h:mm:ss [AM|PM]`, in UTC.
fn american(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, half) = (words.next()?, words.next()?, words.next());
    let three = |text: &str, separator| -> Option<[u32; 3]> {
        let mut parts = text.split(separator).map(|part| {
            part.parse::<u32>().ok().filter(|_| part.bytes().all(|digit| digit.is_ascii_digit()))
        });
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three)
    };
    let ([month, day, year], [hour, minute, second]) = (three(date, '/')?, three(time, ':')?);
    let hour = match half {
        None | Some("+00:00") => hour,
        Some(half) if (1..=12).contains(&hour) => match &*half.to_ascii_uppercase() {
            "AM" => hour % 12,
            "PM" => hour % 12 + 12,
            _ => return None,
        },
        Some(_) => return None,
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        for (text, iso) in [
            ("2019-12-09T12:00:00.1234567Z", "2019-12-09T12:00:00.1234567Z"),
            ("12/09/2019 12:00:00 PM", "2019-12-09T12:00:00Z"),
            ("1/2/2019 12:05:06 AM", "2019-01-02T00:05:06Z"),
            ("1/2/2019 3:04:05 pm", "2019-01-02T15:04:05Z"),
            ("1/2/2019 15:04:05", "2019-01-02T15:04:05Z"),
            ("1575892800000", "2019-12-09T12:00:00Z"),
        ] {
            assert_eq!(hear(text), Some(iso.parse().unwrap()), "{text}");
        }
        for text in ["", "0", "soon", "13/13/2019 1:00:00 AM", "1/2/2019 13:00:00 AM", "1/2 1:2:3", "-5"] {
            assert_eq!(hear(text), None, "{text}");
        }
    }
}
