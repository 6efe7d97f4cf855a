//! Pages of query results.
//!
//! Rows come in the order of creation, and a page continues behind the last twin the page before looked at. So under
//! concurrent writes no twin comes twice, and none is missed that matched all the while; a twin created meanwhile
//! comes if it is created behind the position. Aggregates are computed anew for each of their pages, from one walk.
//!
//! Page size: 1 to 10,000, default 1,000 (the Node how-to's; the language guide says 100). A page ends early at
//! [`MAX_PAGE_BYTES`]; the service too may give fewer rows than asked for.

use roaring::RoaringBitmap;
use twin_core::query::{Expr, Grouping, Query, Selection, Source};
use twin_core::wire::{HubCode, Refusal, rest};

use super::Shared;
use super::memory::{Handle, Slot};
use super::token::{self, Position};
use crate::domain::{Row, push_service_twin, refuse};

/// Rows on a page when the client does not say.
const DEFAULT_PAGE: u32 = 1000;
/// Most rows on a page; larger wishes get this many.
const MAX_PAGE: u32 = 10_000;
/// A page that reaches this many bytes ends.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// One page.
pub(super) fn page(
    shared: &Shared,
    text: &str,
    page_size: Option<u32>,
    continuation: Option<&str>,
) -> Result<rest::Answer, Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new(HubCode::ARGUMENT_NULL, "The query is empty"));
    }
    let query = Query::parse(text).map_err(|e| refuse::invalid(format!("The query is invalid. {e}")))?;
    if page_size == Some(0) {
        return Err(refuse::invalid("The page size is 0; 1 to 10000 are allowed"));
    }
    let wanted = page_size.map(|size| size.min(MAX_PAGE));
    let (size, from) = match continuation.filter(|token| !token.is_empty()) {
        Some(token) => token::hear(token, text, wanted)?,
        None => (wanted.unwrap_or(DEFAULT_PAGE), Position::default()),
    };
    let mut page = Page { rows: vec![b'['], count: 0, size, most: query.top.unwrap_or(u64::MAX), from };
    let more = match query.source {
        Source::Jobs => None, // this hub runs no jobs, so there are no results of any
        _ if query.is_aggregate() => groups(shared, &query, &mut page),
        _ => twins(shared, &query, &mut page),
    };
    page.rows.push(b']');
    Ok(rest::Answer::Page {
        rows: page.rows.into(),
        twins: query.select == Selection::All && query.source != Source::Jobs,
        continuation: more.map(|position| token::say(text, size, position)),
    })
}

/// A page being filled.
struct Page {
    rows: Vec<u8>,
    count: u32,
    size: u32,
    /// `TOP`, over all pages
    most: u64,
    from: Position,
}

impl Page {
    fn is_full(&self) -> bool {
        self.count == self.size || self.rows.len() >= MAX_PAGE_BYTES
    }

    fn given(&self) -> u64 {
        self.from.rows + u64::from(self.count)
    }

    fn push(&mut self, row: impl FnOnce(&mut Vec<u8>)) {
        if self.count > 0 {
            self.rows.push(b',');
        }
        row(&mut self.rows);
        self.count += 1;
    }
}

/// Handles that are asked of the index first; if they do not fill the page, four times as many are next. So a page costs
/// what stands on it, not what the hub holds.
const FIRST_WINDOW: Handle = 65_536;

/// Rows that are twins or parts of twins. `Some` if there are more.
fn twins(shared: &Shared, query: &Query, page: &mut Page) -> Option<Position> {
    let (mut from, mut window) = (shared.memory.after(page.from.serial), FIRST_WINDOW);
    // Twins that are created meanwhile are of a later moment than the page.
    let end = shared.memory.end();
    while from < end {
        let to = from.saturating_add(window).min(end);
        let candidates = shared.indexes.candidates(&shared.memory, query, from..to);
        match fill(shared, query, page, candidates) {
            Filled::Full(next) => return Some(next),
            Filled::Last => return None,
            Filled::Room => (from, window) = (to, window.saturating_mul(4)),
        }
    }
    None
}

/// What became of a page.
enum Filled {
    /// it has room for more
    Room,
    /// it is full, and a further page has something on it
    Full(Position),
    /// `TOP` is reached
    Last,
}

fn fill(shared: &Shared, query: &Query, page: &mut Page, candidates: RoaringBitmap) -> Filled {
    for handle in candidates {
        let Some((slot, key, record)) = matching(shared, query.source, query.condition.as_ref(), handle)
        else {
            continue;
        };
        if page.given() >= page.most {
            return Filled::Last;
        }
        if page.is_full() {
            // Only now is it known that a further page has something on it. It starts with this twin, so that what
            // lies between is not looked at again.
            return Filled::Full(Position { serial: record.serial() - 1, rows: page.given() });
        }
        match &query.select {
            Selection::All => {
                page.push(|to| push_service_twin(to, &key, &record, &slot.presence()));
            }
            Selection::Items(_) => {
                let row = query.project(&Row::new(&key, &record, slot.presence()));
                page.push(|to| serde_json::to_writer(to, &row).expect("a JSON value can always be written"));
            }
        }
    }
    Filled::Room
}

/// Rows that are groups. `Some` if there are more.
fn groups(shared: &Shared, query: &Query, page: &mut Page) -> Option<Position> {
    let mut grouping = Grouping::new(query);
    if let Some(candidates) = shared.indexes.groups(&shared.memory, query, &mut grouping) {
        // Who matched when the index was asked need not be looked at again: a walk over all is one moment, as far as
        // anyone can tell.
        let condition = query.condition.as_ref().filter(|_| !candidates.exact);
        for handle in candidates.handles {
            if let Some((slot, key, record)) = matching(shared, query.source, condition, handle) {
                grouping.feed(&Row::new(&key, &record, slot.presence()));
            }
        }
    }
    let skip = usize::try_from(page.from.rows).unwrap_or(usize::MAX);
    for row in grouping.finish().into_iter().skip(skip) {
        if page.is_full() {
            return Some(Position { serial: 0, rows: page.given() });
        }
        page.push(|to| serde_json::to_writer(to, &row).expect("a JSON value can always be written"));
    }
    None
}

type Match<'m> = (&'m Slot, std::sync::Arc<twin_core::TwinKey>, crate::domain::Record);

/// The twin, if it is there, of the right kind, and passes the condition.
fn matching<'m>(
    shared: &'m Shared,
    source: Source,
    condition: Option<&Expr>,
    handle: Handle,
) -> Option<Match<'m>> {
    let slot = shared.memory.slot(handle)?;
    let (key, record) = slot.live()?;
    let wanted = key.module.is_some() == (source == Source::Modules);
    let passes = |condition: &Expr| condition.is_true(&Row::new(&key, &record, slot.presence()));
    let matches = wanted && condition.is_none_or(passes);
    matches.then_some((slot, key, record))
}
